"""Whatever kills the writer of a log, no finished line is lost and nothing foreign destroyed."""

import os
import random
import resource
import subprocess
import sys
import time

import orjson
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit.base import append_log
from packkit.base.append_log import AppendLog, log_line, read_log
from packkit.base.errors import ChecksumError, FormatError

FIELDS = ("id", "start")
FIRST, SECOND = log_line({"id": 0}), log_line({"id": 1})

values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
records = st.builds(
    lambda first, value, rest: {first: value, **rest},
    st.sampled_from(FIELDS),
    values,
    st.dictionaries(st.text("abc{}\"'\n", min_size=1, max_size=4), values, max_size=2),
)


def objects(path):
    return [record for _, record in read_log(path, FIELDS)]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("log") / "lines.jsonl"


def test_lines_come_back_with_their_numbers(tmp_path):
    path = tmp_path / "new" / "folder" / "lines.jsonl"
    log = AppendLog(path, FIELDS)
    log.append({"id": 1, "text": "a\nb"})
    log.append({"start": {}}, {"id": 2})
    assert list(read_log(path, FIELDS)) == [
        (1, {"id": 1, "text": "a\nb"}),
        (2, {"start": {}}),
        (3, {"id": 2}),
    ]
    assert path.read_bytes().count(b"\n") == 3


@settings(max_examples=30)
@given(st.lists(records, min_size=1, max_size=4))
def test_cut_at_every_byte_loses_no_finished_line(path, lines):
    path.unlink(missing_ok=True)
    AppendLog(path, FIELDS).append(*lines)
    whole = path.read_bytes()
    ends = [place for place, byte in enumerate(whole) if byte == ord("\n")]
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        # A line is finished from the byte before its line break on.
        kept = sum(end <= size for end in ends)
        finished = whole[: ends[kept - 1] + 1] if kept else b""
        assert objects(path) == lines[:kept]
        log = AppendLog(path, FIELDS)
        assert log.torn_bytes == max(size - len(finished), 0)
        assert path.read_bytes() == finished
        log.append({"id": "next"})
        assert path.read_bytes() == finished + log_line({"id": "next"})


@pytest.mark.parametrize("end", [b"", b"{", b'{"i', SECOND[:-2], SECOND[:-1]])
def test_zeros_that_a_power_cut_leaves_are_cut_off(tmp_path, end):
    path = tmp_path / "lines.jsonl"
    path.write_bytes(FIRST + end + bytes(4096))
    kept = end.endswith(b"}")
    assert len(objects(path)) == 1 + kept
    assert AppendLog(path, FIELDS).torn_bytes == 4096 + (0 if kept else len(end))
    assert path.read_bytes() == FIRST + (SECOND if kept else b"")


@settings(max_examples=300)
@given(st.lists(records, max_size=2), st.binary(min_size=1, max_size=12))
def test_a_foreign_end_is_an_error_and_stays(path, lines, end):
    path.unlink(missing_ok=True)
    AppendLog(path, FIELDS).append(*lines)
    heads = [b'{"%b":' % name.encode() for name in FIELDS]
    written = end.rpartition(b"\n")[2].rstrip(b"\0")
    if any(head.startswith(written) or written.startswith(head) for head in heads):
        return
    with open(path, "ab") as file:
        file.write(end)
    before = path.read_bytes()
    with pytest.raises(FormatError, match=r'must begin with {"id": or {"start":'):
        objects(path)
    with pytest.raises(FormatError, match=r"lines\.jsonl: line \d+: must begin"):
        AppendLog(path, FIELDS)
    assert path.read_bytes() == before


@pytest.mark.parametrize("end", [b'{"id":1}{"id":2', b'{"id":1} {"id":2}', b'{"id":1}\0\0x'])
def test_an_object_that_something_else_follows_is_damage(tmp_path, end):
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b'{"id":0}\n' + end)
    with pytest.raises(FormatError, match=r"line 2: .* hold one object"):
        AppendLog(path, FIELDS)
    assert path.read_bytes() == b'{"id":0}\n' + end


@pytest.mark.parametrize("end", [b'{"name": 1}', b"[1]", b"3", b'"id"', b"{}", b'{"id" :', b"\0x"])
def test_json_of_another_kind_is_a_foreign_end(tmp_path, end):
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b'{"id":0}\n' + end)
    for open_it in (lambda: AppendLog(path, FIELDS), lambda: objects(path)):
        with pytest.raises(FormatError, match="line 2: must begin"):
            open_it()
    assert path.read_bytes() == b'{"id":0}\n' + end


@pytest.mark.parametrize("line", [b"", b'{"id":', b"\xff", b"[1]", b'{"id":1}', SECOND[:-1] + b" "])
def test_a_damaged_line_is_named(tmp_path, line):
    path = tmp_path / "lines.jsonl"
    path.write_bytes(FIRST + line + b"\n" + SECOND)
    with pytest.raises(
        ChecksumError, match=r"lines\.jsonl: line 2: is damaged: it has no checksum"
    ):
        objects(path)


def test_no_flipped_bit_gives_another_record(tmp_path):
    path, lines = tmp_path / "lines.jsonl", [{"id": 0, "text": "abc"}, {"start": {"id": 1.5}}]
    AppendLog(path, FIELDS).append(*lines)
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with pytest.raises(FormatError):
            objects(path)


def test_a_line_that_is_sealed_and_no_json_is_named(tmp_path):
    path = tmp_path / "lines.jsonl"
    content = b'{"id":1]}'
    seal = b',"checksum":"%b"}' % xxhash.xxh3_64_hexdigest(content).encode()
    path.write_bytes(content[:-1] + seal + b"\n")
    with pytest.raises(FormatError, match="line 1: not JSON"):
        objects(path)


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path):
    log = AppendLog(tmp_path / "lines.jsonl", FIELDS)
    log.append({"id": 1})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.path.stat().st_size + 4, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            log.append({"id": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert log.path.read_bytes() == SECOND
    log.append({"id": 2})
    assert objects(log.path) == [{"id": 1}, {"id": 2}]


@pytest.mark.parametrize("fsync", [False, True])
def test_a_line_is_flushed_to_disk_where_that_is_asked_for(tmp_path, monkeypatch, fsync):
    log = AppendLog(tmp_path / "lines.jsonl", FIELDS, fsync=fsync)
    synced = []
    monkeypatch.setattr(
        append_log.os, "fsync", lambda number: synced.append(os.fstat(number).st_size)
    )
    log.append({"id": 1})
    assert synced == ([log.path.stat().st_size] if fsync else [])


WRITER = """
import sys
from pathlib import Path
from packkit.base.append_log import AppendLog

log = AppendLog(Path(sys.argv[1]), ["id"])
for number in range(int(sys.argv[2]), 10**9):
    log.append({"id": number, "text": "x" * (number % 7) * 400_000})
    print(number, flush=True)
"""


def test_a_log_goes_on_after_its_writer_is_killed(tmp_path):
    path, draw, lines = tmp_path / "lines.jsonl", random.Random(7), []
    for _ in range(4):
        command = [sys.executable, "-c", WRITER, path, str(len(lines))]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            promised = int(writer.stdout.readline())
            time.sleep(draw.uniform(0, 0.03))
            writer.kill()
            promised = max([promised, *map(int, writer.stdout.read().split(b"\n")[:-1])])
        lines = [record["id"] for record in objects(path)]
        assert lines == list(range(len(lines)))
        # One more line may be whole than the writer could tell of.
        assert promised + 1 <= len(lines) <= promised + 2
    AppendLog(path, ["id"]).append({"id": len(lines)})
    assert path.read_bytes().endswith(b"\n" + log_line({"id": len(lines)}))
    assert all(orjson.loads(line) for line in path.read_bytes().splitlines())
