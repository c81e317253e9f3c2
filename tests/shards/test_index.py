"""The index: what is put in comes out, without a copy, or not at all."""

import os

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit.base.errors import ChecksumError, FormatError
from packkit.shards import ShardIndex
from packkit.shards.index_columns import ImageRow, IndexRow, PackRow, SampleRow, columns_of


def _values(level):
    """Rows of a class of columns with any values that its types can hold."""
    values = {}
    for name, column in columns_of(level).items():
        info = np.iinfo(column.type)
        least = {"position": -1, "tokens": -1, "length": 1}.get(name, 0)
        numbers = st.integers(least, int(info.max))
        values[name] = numbers if column.labels is None else st.none() | st.text(max_size=5)
    return st.builds(level, **values)


@st.composite
def _rows(draw, file):
    """Rows whose packs follow one another, images inside them, as those of any file do."""
    rows, end = [], 0
    for _ in range(draw(st.integers(0, 5))):
        offset, size = end + draw(st.integers(0, 2**50)), draw(st.integers(0, 2**40))
        end, start = offset + size, 0
        pack = draw(_values(PackRow))._replace(offset=offset, size=size)
        samples = draw(st.lists(_values(SampleRow), max_size=3).map(tuple))
        images = []
        for image in draw(st.lists(_values(ImageRow), max_size=3)) if samples else []:
            owner, start = draw(st.integers(0, len(samples) - 1)), draw(st.integers(start, size))
            place = {"offset": offset + start, "size": draw(st.integers(0, size - start))}
            start += place["size"]
            images.append(image._replace(sample=owner, **place))
        rows.append(IndexRow(pack, samples, tuple(images), draw(file)))
    return rows


@settings(max_examples=60, deadline=None)
@given(rows=_rows(st.none()))
def test_rows_come_back_from_a_shard(build_index, rows):
    index = ShardIndex.from_buffer(build_index(rows), "here")
    assert [index.row(number) for number in range(len(index))] == rows


@settings(max_examples=60, deadline=None)
@given(rows=_rows(st.from_regex(r"(tar1/)?\w{1,5}_packed\.json", fullmatch=True)))
def test_rows_come_back_from_a_folder(build_index, rows):
    index = ShardIndex.from_buffer(build_index(rows, is_folder=True), "here")
    assert [index.row(number) for number in range(len(index))] == rows


def test_arrays_are_views_of_the_file(tmp_path, build_index, index_row):
    path = tmp_path / "shard.index.arrow"
    rows = in_a_row(index_row, 100)
    path.write_bytes(build_index(rows))
    index = ShardIndex.open(path)
    buffer = pa.py_buffer(build_index(rows))
    start, stop = buffer.address, buffer.address + buffer.size
    in_memory = ShardIndex.from_buffer(buffer, path)
    columns = [*in_memory.pack, *in_memory.sample, *in_memory.image]
    for column in [*columns, in_memory.first_sample, in_memory.first_image]:
        assert start <= column.ctypes.data < stop
        assert not column.flags.writeable
    assert np.array_equal(index.first_sample, np.arange(0, 201, 2))


def test_another_file_under_its_name_is_refused(tmp_path, build_index, index_row):
    path = tmp_path / "shard.index.arrow"
    path.write_bytes(build_index([index_row]))
    checksum = xxhash.xxh3_64_hexdigest(path.read_bytes())
    assert len(ShardIndex.open(path, checksum=checksum)) == 1
    path.write_bytes(build_index(in_a_row(index_row, 2)))
    with pytest.raises(ChecksumError, match=r"shard\.index\.arrow.*manifest"):
        ShardIndex.open(path, checksum=checksum)
    path.unlink()
    with pytest.raises(FormatError, match="cannot read it"):
        ShardIndex.open(path, checksum=checksum)


def test_other_versions_and_other_tables_are_refused(build_index, index_row):
    table = pa.table({"offset": [1]})
    with pytest.raises(FormatError, match="format_version must be 2"):
        ShardIndex.from_buffer(_ipc(table), "here")
    metadata = {b"packkit.format_version": b"2"}
    with pytest.raises(FormatError, match="columns"):
        ShardIndex.from_buffer(_ipc(table.replace_schema_metadata(metadata)), "here")
    batch = pa.ipc.open_file(pa.BufferReader(build_index([index_row]))).get_batch(0)
    for count in (0, 2):
        table = pa.Table.from_batches([batch] * count, batch.schema)
        with pytest.raises(FormatError, match=f"{count} record batches, must be 1"):
            ShardIndex.from_buffer(_ipc(table), "here")


def in_a_row(row, count):
    """A row of ten bytes again and again, each a line of one file."""
    return [_moved(row, 11 * number) for number in range(count)]


def _moved(row, distance):
    images = (image._replace(offset=image.offset + distance) for image in row.images)
    pack = row.pack._replace(offset=row.pack.offset + distance)
    return row._replace(pack=pack, images=tuple(images))


def _pack(**change):
    return lambda row: row._replace(pack=row.pack._replace(**change))


def _image(**change):
    return lambda row: row._replace(images=(row.images[0]._replace(**change),))


def _sample(**change):
    return lambda row: row._replace(samples=(row.samples[0]._replace(**change), *row.samples[1:]))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (_pack(offset=-1), "offset number 2"),
        (lambda row: _pack(size=-1)(row._replace(images=())), "offset number 2"),
        (_image(sample=2), "sample number 2"),
        (_image(sample=-1), "sample number 2"),
        (_image(offset=30), "image number 2"),
        (_image(offset=21), "image number 2"),
        (_image(size=-1), "image number 2"),
        (_image(size=2**63 - 1), "image number 2"),
        (_image(offset=2**63 - 1), "image number 2"),
        (_image(offset=-(2**63)), "image number 2"),
        (_pack(offset=40), "image number 2"),
        # Of two images the second begins inside the first.
        (lambda row: row._replace(images=row.images * 2), "image number 3"),
        (_pack(offset=20), "offset number 2"),
        (_pack(size=2**63 - 1), "offset number 2"),
        (_image(width=-1), "width number 2"),
        (_image(height=-(2**31)), "height number 2"),
        (_image(tokens=-2), "tokens number 2"),
        (_sample(length=0), "length number 4"),
        (_sample(position=-2), "position number 4"),
    ],
)
def test_numbers_that_lead_out_of_their_pack_are_refused(build_index, index_row, change, rule):
    with pytest.raises(FormatError, match=rule):
        first, second, third = in_a_row(index_row, 3)
        ShardIndex.from_buffer(build_index([first, second, change(third)]), "here")


@pytest.mark.parametrize(
    "name", ["../a_packed.json", "/etc/passwd", "a/../../b", "a/.", "..", "", "a\0b", "./a"]
)
def test_files_outside_of_the_folder_are_refused(build_index, index_row, name):
    rows = [index_row._replace(file=file) for file in ("..a_packed.json", "a/b..c", name)]
    with pytest.raises(FormatError, match="file number 2 leads out of the folder") as caught:
        ShardIndex.from_buffer(build_index(rows, is_folder=True), "here")
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("labels", [b"5", b'{"a": 1}', b"[1]", b'"ab"', b"null", b"[["])
def test_labels_that_are_no_texts_are_refused(build_index, index_row, labels):
    batch = pa.ipc.open_file(pa.BufferReader(build_index([index_row]))).get_batch(0)
    metadata = {**batch.schema.metadata, b"packkit.groups": labels}
    table = pa.Table.from_batches([batch]).replace_schema_metadata(metadata)
    with pytest.raises(FormatError, match="must be the index of a shard"):
        ShardIndex.from_buffer(_ipc(table), "here")


def test_an_open_index_outlives_its_file(tmp_path, build_index, index_row):
    # A mapped file that is cut short would end this very process.
    path, rows = tmp_path / "shard.index.arrow", in_a_row(index_row, 200)
    path.write_bytes(build_index(rows))
    index = ShardIndex.open(path)
    os.truncate(path, 10)
    assert [index.row(number) for number in range(len(index))] == rows
    with pytest.raises(FormatError, match="must be the index of a shard"):
        ShardIndex.open(path)


@pytest.mark.parametrize("name", ["group", "origin"])
@pytest.mark.parametrize("number", [-2, 1])
def test_numbers_without_a_label_are_refused(build_index, index_row, name, number):
    batch = pa.ipc.open_file(pa.BufferReader(build_index([index_row]))).get_batch(0)
    samples = batch.to_pylist()[0]["samples"]
    samples[1][name] = number
    position = batch.schema.get_field_index("samples")
    changed = pa.array([samples], batch.schema.field(position).type)
    table = pa.Table.from_batches([batch]).set_column(
        position, batch.schema.field(position), changed
    )
    with pytest.raises(FormatError, match=f"{name} number 1 is out of range"):
        ShardIndex.from_buffer(_ipc(table), "here")


def test_damage_is_an_error_or_harmless_but_never_a_crash(build_index, index_row):
    data = build_index(in_a_row(index_row, 3))
    random = np.random.default_rng(0)
    for _ in range(400):
        damaged = bytearray(data)
        damaged[random.integers(len(data))] ^= 1 << int(random.integers(8))
        _read_or_refuse(bytes(damaged))
    for size in range(0, len(data), 7):
        with pytest.raises(FormatError):
            ShardIndex.from_buffer(data[:size], "here")


def _read_or_refuse(data):
    try:
        index = ShardIndex.from_buffer(data, "here")
    except FormatError:
        return
    for number in range(len(index)):
        index.row(number)


def _ipc(table):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()
