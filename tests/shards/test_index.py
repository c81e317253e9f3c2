"""The index: what is put in comes out, without a copy, or not at all."""

import numpy as np
import orjson
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit.base.errors import ChecksumError, FormatError
from packkit.shards import ShardIndex
from packkit.shards.index_columns import ImageRow, IndexRow, PackRow, SampleRow
from packkit.shards.index_table import IndexBuilder

_INT32, _UINT64 = st.integers(-1, 2**31 - 1), st.integers(0, 2**64 - 1)
_LABELS, _POSITIONS = st.none() | st.text(max_size=5), st.integers(-1, 2**63 - 1)
_SAMPLES = st.builds(SampleRow, _INT32, _LABELS, _LABELS, _POSITIONS)


@st.composite
def _rows(draw, file):
    """Rows whose images lie inside their packs, as those of any text do."""
    rows = []
    for _ in range(draw(st.integers(0, 5))):
        offset, size = draw(st.integers(0, 2**50)), draw(st.integers(0, 2**40))
        samples = draw(st.lists(_SAMPLES, max_size=3).map(tuple))
        images = []
        for _ in range(draw(st.integers(0, 3)) if samples else 0):
            owner, start = draw(st.integers(0, len(samples) - 1)), draw(st.integers(0, size))
            place = owner, offset + start, draw(st.integers(0, size - start))
            images.append(ImageRow(*place, *(draw(_INT32) for _ in range(3)), draw(_UINT64)))
        pack = PackRow(offset, size, draw(_INT32), draw(_UINT64))
        rows.append(IndexRow(pack, samples, tuple(images), draw(file)))
    return rows


def _build(rows, *, is_folder=False):
    builder = IndexBuilder(is_folder=is_folder)
    for row in rows:
        builder.append(row)
    return builder.to_bytes()


_IMAGE = ImageRow(0, 2, 4, 640, 480, 144, 9)
_ROW = IndexRow(
    PackRow(0, 10, 5, 7),
    (SampleRow(3, "roco", "a.jsonl", 4), SampleRow(2, None, None, -1)),
    (_IMAGE,),
)


@settings(max_examples=60, deadline=None)
@given(rows=_rows(st.none()))
def test_rows_come_back_from_a_shard(rows):
    index = ShardIndex.from_buffer(_build(rows), "here")
    assert [index.row(number) for number in range(len(index))] == rows


@settings(max_examples=60, deadline=None)
@given(rows=_rows(st.text(max_size=9)))
def test_rows_come_back_from_a_folder(rows):
    index = ShardIndex.from_buffer(_build(rows, is_folder=True), "here")
    assert [index.row(number) for number in range(len(index))] == rows


def test_the_file_is_one_uncompressed_batch_of_the_types_documented():
    data = _build([_ROW])
    reader = pa.ipc.open_file(pa.BufferReader(data))
    assert reader.num_record_batches == 1
    images = "list<item: struct<sample: int32 not null, offset: int64 not null, size: int64 not "
    images += "null, width: int32 not null, height: int32 not null, tokens: int32 not null, "
    images += "checksum: uint64 not null> not null>"
    samples = "list<item: struct<length: int32 not null, group: int32 not null, "
    samples += "origin: int32 not null, position: int64 not null> not null>"
    assert {field.name: str(field.type) for field in reader.schema} == {
        "offset": "int64",
        "size": "int64",
        "tokens": "int32",
        "checksum": "uint64",
        "samples": samples,
        "images": images,
    }
    # The checksum stands in the file as it is: nothing is compressed.
    marked = _build([_ROW._replace(pack=_ROW.pack._replace(checksum=0x0123456789ABCDEF))])
    assert (0x0123456789ABCDEF).to_bytes(8, "little") in marked


def test_labels_are_numbered_as_they_first_appear():
    samples = (SampleRow(1, "b", "z", 0), SampleRow(1, "a", "y", 0))
    data = _build([_ROW._replace(samples=samples), _ROW])
    metadata = pa.ipc.open_file(pa.BufferReader(data)).schema.metadata
    assert orjson.loads(metadata[b"packkit.groups"]) == ["b", "a", "roco"]
    assert orjson.loads(metadata[b"packkit.origins"]) == ["z", "y", "a.jsonl"]
    assert metadata[b"packkit.format_version"] == b"2"


def test_arrays_are_views_of_the_file(tmp_path):
    path = tmp_path / "shard.index.arrow"
    path.write_bytes(_build([_ROW] * 100))
    index = ShardIndex.open(path)
    buffer = pa.py_buffer(_build([_ROW] * 100))
    start, stop = buffer.address, buffer.address + buffer.size
    in_memory = ShardIndex.from_buffer(buffer, path)
    columns = [*in_memory.pack, *in_memory.sample, *in_memory.image]
    for column in [*columns, in_memory.first_sample, in_memory.first_image]:
        assert start <= column.ctypes.data < stop
        assert not column.flags.writeable
    assert np.array_equal(index.first_sample, np.arange(0, 201, 2))


def test_another_file_under_its_name_is_refused(tmp_path):
    path = tmp_path / "shard.index.arrow"
    path.write_bytes(_build([_ROW]))
    checksum = xxhash.xxh3_64_hexdigest(path.read_bytes())
    assert len(ShardIndex.open(path, checksum=checksum)) == 1
    path.write_bytes(_build([_ROW, _ROW]))
    with pytest.raises(ChecksumError, match=r"shard\.index\.arrow.*manifest"):
        ShardIndex.open(path, checksum=checksum)
    path.unlink()
    with pytest.raises(FormatError, match="cannot read it"):
        ShardIndex.open(path, checksum=checksum)


def test_other_versions_and_other_tables_are_refused():
    table = pa.table({"offset": [1]})
    with pytest.raises(FormatError, match="format_version must be 2"):
        ShardIndex.from_buffer(_ipc(table), "here")
    metadata = {b"packkit.format_version": b"2"}
    with pytest.raises(FormatError, match="columns"):
        ShardIndex.from_buffer(_ipc(table.replace_schema_metadata(metadata)), "here")
    batch = pa.ipc.open_file(pa.BufferReader(_build([_ROW]))).get_batch(0)
    for count in (0, 2):
        table = pa.Table.from_batches([batch] * count, batch.schema)
        with pytest.raises(FormatError, match=f"{count} record batches, must be 1"):
            ShardIndex.from_buffer(_ipc(table), "here")


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        (_ROW._replace(pack=_ROW.pack._replace(offset=-1)), "offset number 2"),
        (_ROW._replace(pack=_ROW.pack._replace(size=-1), images=()), "offset number 2"),
        (_ROW._replace(images=(_IMAGE._replace(sample=2),)), "sample number 2"),
        (_ROW._replace(images=(_IMAGE._replace(sample=-1),)), "sample number 2"),
        (_ROW._replace(images=(_IMAGE._replace(offset=8),)), "image number 2"),
        (_ROW._replace(images=(_IMAGE._replace(size=-1),)), "image number 2"),
        (_ROW._replace(pack=_ROW.pack._replace(offset=20)), "image number 2"),
    ],
)
def test_numbers_that_lead_out_of_their_pack_are_refused(row, rule):
    with pytest.raises(FormatError, match=rule):
        ShardIndex.from_buffer(_build([_ROW, _ROW, row]), "here")


def test_damage_is_an_error_or_harmless_but_never_a_crash():
    data = _build([_ROW] * 3)
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
