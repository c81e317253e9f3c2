"""Ledgers on disk: what was noted comes back, less what was taken back or torn."""

import pytest

from packkit.errors import FormatError
from packkit.ledger.lines import LedgerStart, LedgerStep, LedgerWriter, read_ranks

START = LedgerStart(0, 0, 1, 4, "fill", [23], False, "train", 0.0, ["abc"])


def write(writer, positions, epoch=0):
    for number, position in enumerate(positions):
        start = START._replace(epoch=epoch, position=position)
        step = LedgerStep(epoch, number, position, [position, position + 1], [])
        writer.write(start, step, end=(epoch, position + 4))


def positions(folder):
    (rank,) = read_ranks(folder)
    return [start.position for start in rank.starts], [step.position for step in rank.steps]


def test_steps_come_back_with_one_start(tmp_path):
    write(LedgerWriter(tmp_path, 0), [0, 4, 8])
    (rank,) = read_ranks(tmp_path)
    assert rank.starts == [START]
    assert rank.steps[1] == LedgerStep(0, 1, 4, [4, 5], [])
    assert len(rank.steps) == 3


def test_a_start_takes_back_what_comes_after_it(tmp_path):
    write(LedgerWriter(tmp_path, 0), [0, 4, 8, 12])
    write(LedgerWriter(tmp_path, 0), [8, 12, 16])
    assert positions(tmp_path) == ([0, 8], [0, 4, 8, 12, 16])
    write(LedgerWriter(tmp_path, 0), [4])
    assert positions(tmp_path) == ([0, 4], [0, 4])
    write(LedgerWriter(tmp_path, 0), [0])
    assert positions(tmp_path) == ([0], [0])


def test_a_jump_of_the_same_writer_is_a_start(tmp_path):
    writer = LedgerWriter(tmp_path, 0)
    write(writer, [0, 4])
    write(writer, [0, 4], epoch=1)
    assert positions(tmp_path) == ([0, 0], [0, 4, 0, 4])


def test_a_torn_line_is_left_out_and_cut_off_by_the_next_start(tmp_path):
    write(LedgerWriter(tmp_path, 0), [0, 4])
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for end in range(last, len(whole)):
        path.write_bytes(whole[:end])
        assert positions(tmp_path)[1] == [0]
        write(LedgerWriter(tmp_path, 0), [4, 8])
        assert positions(tmp_path) == ([0, 4], [0, 4, 8])


def test_what_is_no_ledger_is_refused(tmp_path):
    with pytest.raises(FormatError, match="it is no ledger"):
        read_ranks(tmp_path)
    write(LedgerWriter(tmp_path, 1), [0])
    with pytest.raises(FormatError, match=r"rank-00000\.jsonl: is missing"):
        read_ranks(tmp_path)


@pytest.mark.parametrize("line", [b"{", b"[]", b"3", b'{"epoch": 1}', b'{"start": {"epoch": 0}}'])
def test_a_broken_line_is_named(tmp_path, line):
    writer = LedgerWriter(tmp_path, 0)
    write(writer, [0])
    with open(writer.path, "ab") as file:
        file.write(line + b"\n")
    with pytest.raises(FormatError, match=r"rank-00000\.jsonl: line 3 is not of a ledger"):
        read_ranks(tmp_path)
