"""Ledgers on disk: every line that was noted comes back, but for a torn one."""

import random
import resource

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.append_log import log_line
from packkit.base.errors import FormatError
from packkit.ledger.lines import LedgerStart, LedgerStep, LedgerWriter, RankRun, read_ranks

START = LedgerStart(0, 0, 1, 4, "fill", [23], False, "train", 0.0, ["abc"])


def note(writer, position, epoch=0):
    start = START._replace(epoch=epoch, position=position)
    step = LedgerStep(epoch, position // 4, position, [position, -1], ["pack 3: a bad image"])
    writer.write(start, step, end=(epoch, position + 4))


def write(writer, positions, epoch=0):
    for position in positions:
        note(writer, position, epoch)


def positions(folder):
    """For each run of the only rank, where it starts, and its steps."""
    (runs,) = read_ranks(folder)
    return [(run.start.position, [step.position for step in run.steps]) for run in runs]


def test_steps_come_back_with_one_start(tmp_path):
    write(LedgerWriter(tmp_path, 0), [0, 4, 8])
    steps = [LedgerStep(0, n, 4 * n, [4 * n, -1], ["pack 3: a bad image"]) for n in range(3)]
    assert read_ranks(tmp_path) == [[RankRun(START, steps)]]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4)), min_size=1, max_size=5))
def test_each_start_begins_a_run_with_the_steps_that_follow(tmp_path_factory, runs):
    folder = tmp_path_factory.mktemp("ledger")
    expected = [(4 * first, [4 * first + 4 * n for n in range(count)]) for first, count in runs]
    for _, steps in expected:
        write(LedgerWriter(folder, 0), steps)
    assert positions(folder) == expected


def test_a_jump_of_the_same_writer_is_a_start(tmp_path):
    writer = LedgerWriter(tmp_path, 0)
    write(writer, [0, 4])
    write(writer, [0, 4], epoch=1)
    write(writer, [0], epoch=1)
    assert positions(tmp_path) == [(0, [0, 4]), (0, [0, 4]), (0, [0])]


@pytest.mark.parametrize("noted", [[0, 4], [0]])
def test_an_unfinished_line_is_mended_by_the_next_start(tmp_path, noted):
    write(LedgerWriter(tmp_path, 0), noted)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for end in range(last, len(whole)):
        path.write_bytes(whole[:end])
        # A line that misses nothing but its line break is whole.
        kept = noted if end == len(whole) - 1 else noted[:-1]
        assert positions(tmp_path) == [(0, kept)]
        write(LedgerWriter(tmp_path, 0), [4, 8])
        assert positions(tmp_path) == [(0, kept), (4, [4, 8])]
        assert path.read_bytes().startswith(whole[:last])


def test_an_end_that_is_not_of_a_ledger_is_an_error_and_stays(tmp_path):
    path = tmp_path / "rank-00000.jsonl"
    path.write_bytes(b"my notes")
    with pytest.raises(FormatError, match=r"rank-00000\.jsonl: line 1: must begin"):
        write(LedgerWriter(tmp_path, 0), [0])
    with pytest.raises(FormatError, match=r"rank-00000\.jsonl: line 1: must begin"):
        read_ranks(tmp_path)
    assert path.read_bytes() == b"my notes"


def test_zeros_that_a_crash_of_the_machine_leaves_are_a_torn_line(tmp_path):
    writer = LedgerWriter(tmp_path, 0)
    write(writer, [0])
    with open(writer.path, "ab") as file:
        file.write(bytes(4096))
    assert positions(tmp_path) == [(0, [0])]
    write(LedgerWriter(tmp_path, 0), [4])
    assert positions(tmp_path) == [(0, [0]), (4, [4])]


def test_a_full_disk_is_an_error_and_no_line_is_lost_once_there_is_room(tmp_path):
    writer = LedgerWriter(tmp_path, 0)
    write(writer, [0])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (writer.path.stat().st_size + 9, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write(writer, [4])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert positions(tmp_path) == [(0, [0])]
    write(writer, [4, 8])
    assert positions(tmp_path) == [(0, [0]), (4, [4, 8])]


def test_a_rank_whose_file_is_missing_noted_nothing(tmp_path):
    for rank in (1, 3):
        write(LedgerWriter(tmp_path, rank), [0])
    assert [len(runs) for runs in read_ranks(tmp_path)] == [0, 1, 0, 1]


def test_what_is_no_ledger_is_refused(tmp_path):
    with pytest.raises(FormatError, match="it is no ledger"):
        read_ranks(tmp_path)
    with pytest.raises(FormatError, match="it is no ledger"):
        read_ranks(tmp_path / "missing")
    for name in ("rank-0.jsonl", "rank-00000 (copy).jsonl"):
        path = tmp_path / name
        path.touch()
        with pytest.raises(FormatError, match="is not named after a rank"):
            read_ranks(tmp_path)
        path.unlink()


BROKEN = [b"", b"{", b"[]", b"3", b"null", b'{"epoch":1}', b"\xff", bytes(20)]
OF_NO_LEDGER = [{"epoch": 1}, {"start": {"epoch": 0}}, {"start": 3}]


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        *((line + b"\n", "is damaged: it has no checksum") for line in BROKEN),
        *((log_line(record), "is not of a ledger") for record in OF_NO_LEDGER),
    ],
)
def test_a_broken_line_is_named(tmp_path, line, detail):
    writer = LedgerWriter(tmp_path, 0)
    write(writer, [0])
    with open(writer.path, "ab") as file:
        file.write(line)
    with pytest.raises(FormatError, match=rf"rank-00000\.jsonl: line 3: {detail}"):
        read_ranks(tmp_path)


def test_no_flipped_bit_is_silent(tmp_path):
    writer = LedgerWriter(tmp_path, 0)
    write(writer, range(0, 40, 4))
    whole, drawn = writer.path.read_bytes(), random.Random(0)
    for _ in range(300):
        flipped = bytearray(whole)
        flipped[drawn.randrange(len(whole))] ^= 1 << drawn.randrange(8)
        writer.path.write_bytes(flipped)
        with pytest.raises(FormatError):
            read_ranks(tmp_path)


@pytest.mark.parametrize(("order", "line"), [([1, 2], 1), ([0, 1, 1], 3), ([0, 2, 1], 3)])
def test_steps_out_of_order_are_named(tmp_path, order, line):
    writer = LedgerWriter(tmp_path, 0)
    write(writer, [0, 4])
    lines = writer.path.read_bytes().splitlines(keepends=True)
    writer.path.write_bytes(b"".join(lines[number] for number in order))
    with pytest.raises(FormatError, match=f"line {line}: is a step that follows no other"):
        read_ranks(tmp_path)
