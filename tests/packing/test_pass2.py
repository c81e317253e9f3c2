"""Pass 2 writes the rows it is given, from the bytes that pass 1 saw."""

import os

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packing_inputs import caption, png, write_lines

from packkit.base.errors import SourceChangedError
from packkit.packing import PackConfig
from packkit.packing.pass2 import ShardMaker, reread_samples
from packkit.packing.sample_table import SampleTable
from packkit.planning.arrange import ShardTask
from packkit.samples import Origin, Sample
from packkit.shards import PackReader
from packkit.sources import Source

RECORDS = {
    "a.jsonl": [caption(i, images=[{"path": f"{i}.png"}], meta={"n": i}) for i in range(6)],
    "b.jsonl": [caption(i) for i in range(6, 12)],
}


@pytest.fixture
def inputs(tmp_path, measure):
    """Sources and rows of two files, one with images as files."""
    data = tmp_path / "data"
    paths = [write_lines(data / name, records) for name, records in RECORDS.items()]
    for number in range(6):
        (data / f"{number}.png").write_bytes(png(number))
    sources, pass1 = measure(*paths, max_len=256, overlong="truncate")
    return sources, pass1.measured


def with_images(sample):
    images = tuple(sample.image_bytes(number) for number in range(len(sample.images)))
    return sample.id, sample.content, images, dict(sample.meta)


def expected(number):
    record = {**caption(number), "meta": {"n": number} if number < 6 else {}}
    return with_images(Sample.from_dict(record))


@given(st.lists(st.integers(0, 11)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_samples_are_read_again_whatever_the_order_of_rows(inputs, rows):
    sources, measured = inputs
    again = list(reread_samples(sources, measured, np.array(rows, np.int64)))
    assert [row for row, _ in again] == sorted(rows)
    assert [with_images(sample) for _, sample in again] == [expected(row) for row in sorted(rows)]


def write(out, inputs, packs, **options):
    """Writes packs of rows as shard 3, whose first pack is 40."""
    sources, measured = inputs
    offsets = np.concatenate(([0], np.cumsum([len(pack) for pack in packs])))
    rows = np.array([row for pack in packs for row in pack], np.int64)
    maker = ShardMaker(out, sources, measured, ["first", "second"], PackConfig(**options))
    return maker(ShardTask(3, 40, rows, offsets))


@pytest.mark.parametrize("storage", ["shards", "files"])
def test_packs_hold_their_rows_in_order(tmp_path, inputs, storage):
    packs = [[7, 0, 3], [11], [5, 6]]
    out = tmp_path / "out"
    entry = write(out, inputs, packs, storage=storage)
    assert (entry.name, entry.packs, entry.samples, entry.images) == ("shard-00003", 3, 6, 6)
    files = [out / "shard-00003.jsonl"] if storage == "shards" else []
    files += [out / "shard-00003" / f"pack-{number:08d}.json" for number in range(40, 43)]
    if storage == "files":
        assert all(path.is_file() for path in files)
        return
    _, measured = inputs
    for pack, rows in zip(PackReader(files[0]), packs, strict=True):
        assert [with_images(sample) for sample in pack.data] == [expected(row) for row in rows]
        assert list(pack.lengths) == measured.length[rows].tolist()
        for sample, row in zip(pack.data, rows, strict=True):
            assert sample.origin == Origin("first" if row < 6 else "second", row % 6)


def test_image_files_stand_beside_images_in_the_record(tmp_path, measure):
    pictures = [png(number) for number in range(4)]
    for number in (1, 3):
        (tmp_path / f"{number}.png").write_bytes(pictures[number])
    inline = {n: caption(n)["images"][0] for n in (0, 2)}
    images = [inline.get(number, {"path": f"{number}.png"}) for number in range(4)]
    parts = [{"type": "text", "text": "Four."}, *[{"type": "image"}] * 4]
    path = write_lines(tmp_path / "d.jsonl", [{"content": parts, "images": images}])
    sources, pass1 = measure(path)
    write(tmp_path / "out", (sources, pass1.measured), [[0]])
    (pack,) = PackReader(tmp_path / "out" / "shard-00003.jsonl")
    assert [pack.data[0].image_bytes(number) for number in range(4)] == pictures


def test_samples_are_cut_as_in_pass_1(tmp_path, measure):
    long = caption(1, text="one word after another " * 100)
    limited = {**caption(2), "token_limit": 12}
    path = write_lines(tmp_path / "c.jsonl", [long, limited, caption(3)])
    sources, pass1 = measure(path, max_len=512, overlong="truncate")
    write(tmp_path / "out", (sources, pass1.measured), [[0, 1, 2]])
    (pack,) = PackReader(tmp_path / "out" / "shard-00003.jsonl")
    assert [sample.token_limit for sample in pack.data] == [512, 12, None]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: path.write_bytes(png(99)), "size or modification time differs"),
        (lambda path: os.utime(path, ns=(0, 0)), "size or modification time differs"),
        (lambda path: path.unlink(), r"3\.png"),
    ],
)
def test_an_image_file_that_changed_ends_the_run(tmp_path, inputs, change, message):
    change(tmp_path / "data" / "3.png")
    with pytest.raises(SourceChangedError, match=message):
        write(tmp_path / "out", inputs, [[0, 3]])
    assert not (tmp_path / "out").exists()
    # What does not need it is written.
    assert write(tmp_path / "out", inputs, [[0, 2]]).packs == 1


def test_a_record_that_is_no_sample_any_more_is_named(inputs):
    sources, measured = inputs
    place = measured.table.schema.get_field_index("checksum")
    unchecked = pa.array(np.zeros(len(measured), np.uint64))
    table = measured.table.set_column(place, measured.table.schema.field(place), unchecked)
    source: Source = sources[1]
    offset = int(measured.offset[7])
    with open(source.path, "r+b") as file:
        file.seek(offset)
        file.write(b"[")
    os.utime(source.path, ns=(source.mtime_ns, source.mtime_ns))
    with pytest.raises(SourceChangedError, match=rf"b\.jsonl: .*byte {offset} is no sample now"):
        list(reread_samples(sources, SampleTable(table), np.array([6, 7])))
