"""Records come back whatever the order of rows, and a changed byte is named with its place."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import SourceChangedError
from packkit.packing import gather as module
from packkit.packing.gather import gather
from packkit.packing.sample_table import SampleTable
from packkit.packing.span import SAMPLE_SCHEMA
from packkit.sources import Source


def source_of(path):
    status = path.stat()
    return Source(
        name=path.name,
        path=str(path),
        container="jsonl",
        layout="packkit",
        columns={},
        root=str(path.parent),
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
    )


def row_of(number, offset, data, *, has_checksum=True):
    empty = dict.fromkeys(SAMPLE_SCHEMA.names, 0)
    place = {"source": number, "offset": offset, "size": len(data), "images": []}
    return {**empty, **place, "checksum": xxhash.xxh3_64_intdigest(data) if has_checksum else 0}


@contextmanager
def files_of(files, **options):
    """Files of (record, gap after it), as sources, rows and the record of each row."""
    with tempfile.TemporaryDirectory() as folder:
        sources, rows, records = [], [], []
        for number, parts in enumerate(files):
            data = b""
            for record, gap in parts:
                rows.append(row_of(number, len(data), record, **options))
                records.append(record)
                data += record + b"\0" * gap
            path = Path(folder) / f"{number}.bin"
            path.write_bytes(data)
            sources.append(source_of(path))
        yield sources, SampleTable(pa.Table.from_pylist(rows, SAMPLE_SCHEMA)), records


RECORDS = st.tuples(st.binary(min_size=1, max_size=40), st.sampled_from([0, 0, 0, 1, 7]))
FILES = st.lists(st.lists(RECORDS, min_size=1, max_size=12), min_size=1, max_size=3)


@given(FILES, st.data())
def test_every_row_comes_with_its_record_by_source_and_offset(files, data):
    with files_of(files) as (sources, measured, records):
        wanted = data.draw(st.lists(st.integers(0, len(records) - 1)))
        gathered = list(gather(sources, measured, np.array(wanted, np.int64)))
    assert gathered == sorted(((row, records[row]) for row in wanted), key=lambda item: item[0])


@given(FILES, st.sampled_from([1, 16, 100, 4 << 20]))
def test_joined_reads_give_what_single_reads_give(files, run_bytes):
    with files_of(files) as (sources, measured, records), pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_RUN_BYTES", run_bytes)
        rows = np.arange(len(records))
        single = [item for row in rows for item in gather(sources, measured, np.array([row]))]
        assert list(gather(sources, measured, rows[::-1])) == single == list(enumerate(records))


def test_records_of_two_files_are_never_one_read():
    # The second record stands in its file where the first ends in the other.
    with files_of([[(b"abc", 0)], [(b"xyz", 0), (b"def", 0)]]) as (sources, measured, _):
        rows = np.array([0, 2])
        assert list(gather(sources, measured, rows)) == [(0, b"abc"), (2, b"def")]


def count_reads(monkeypatch):
    sizes = []
    pread = os.pread

    def counted(descriptor, size, offset):
        sizes.append(size)
        return pread(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", counted)
    return sizes


def test_records_that_touch_are_one_read_and_others_are_not(monkeypatch):
    with files_of([[(b"0123456789", 0)] * 20]) as (sources, measured, _):
        sizes = count_reads(monkeypatch)
        list(gather(sources, measured, np.arange(20)))
        assert sizes == [200]
        sizes.clear()
        list(gather(sources, measured, np.arange(0, 20, 2)))
        assert sizes == [10] * 10


def test_joined_reads_are_bounded(monkeypatch):
    monkeypatch.setattr(module, "_RUN_BYTES", 64)
    with files_of([[(b"0123456789", 0)] * 100]) as (sources, measured, _):
        sizes = count_reads(monkeypatch)
        list(gather(sources, measured, np.arange(100)))
    assert sum(sizes) == 1000
    # A run holds the records that begin within one block.
    assert max(sizes) < 64 + 10


def overwrite(source, offset, data):
    """Changes bytes of a file and keeps its time."""
    with open(source.path, "r+b") as file:
        file.seek(offset)
        file.write(data)
    os.utime(source.path, ns=(source.mtime_ns, source.mtime_ns))


@given(FILES, st.data())
def test_a_changed_byte_is_named_with_its_place_and_others_are_not(files, data):
    with files_of(files) as (sources, measured, records):
        row = data.draw(st.integers(0, len(records) - 1))
        byte = data.draw(st.integers(0, len(records[row]) - 1))
        place, source = int(measured.offset[row]), sources[measured.source[row]]
        changed = bytes([records[row][byte] ^ data.draw(st.integers(1, 255))])
        overwrite(source, place + byte, changed)
        others = np.delete(np.arange(len(records)), row)
        assert [number for number, _ in gather(sources, measured, others)] == others.tolist()
        with pytest.raises(SourceChangedError, match=f"record at byte {place} differs") as caught:
            list(gather(sources, measured, np.arange(len(records))))
        assert caught.value.path == source.name


def test_without_a_checksum_only_the_size_is_compared():
    with files_of([[(b"abc", 0), (b"def", 0)]], has_checksum=False) as (sources, measured, _):
        overwrite(sources[0], 3, b"x")
        assert dict(gather(sources, measured, np.arange(2))) == {0: b"abc", 1: b"xef"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: path.write_bytes(b"abcdefg"), "6 bytes became 7"),
        (lambda path: os.utime(path, ns=(0, 0)), "modification time differs"),
        (lambda path: path.unlink(), "No such file"),
    ],
)
def test_a_file_that_changed_is_not_read(change, message):
    with files_of([[(b"abc", 0), (b"def", 0)]]) as (sources, measured, _):
        change(Path(sources[0].path))
        with pytest.raises(SourceChangedError, match=rf"0\.bin: changed.*{message}"):
            list(gather(sources, measured, np.arange(2)))


def test_files_are_closed_also_where_nobody_reads_on():
    with files_of([[(b"abc", 1)] * 5, [(b"def", 1)] * 5]) as (sources, measured, _):
        before = len(os.listdir("/proc/self/fd"))
        records = gather(sources, measured, np.arange(10))
        next(records)
        assert len(os.listdir("/proc/self/fd")) == before + 2
        records.close()
        assert len(os.listdir("/proc/self/fd")) == before
