"""What stands in a log of answers stays there, whatever kills its writer."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.append_log import log_line
from packkit.base.errors import FormatError, LockedError
from packkit.infimed.chat import AnswerLog, read_answers


def line(number, **fields):
    return {"request": f"r{number}", "state": "ok", **fields}


def write(path, records):
    with AnswerLog(path, ["request"]) as log:
        for record in records:
            log.append(record)
    return path.read_bytes()


def test_last_line_of_a_request_holds(tmp_path):
    path = tmp_path / "deep" / "answers.jsonl"
    write(path, [line(1, n=1), line(2, n=1), line(1, n=2)])
    assert read_answers(path, ["request"]) == [line(1, n=2), line(2, n=1)]
    with AnswerLog(path, ["request"]) as log:
        assert log.records == {("r1",): line(1, n=2), ("r2",): line(2, n=1)}
        assert log.torn_bytes == 0


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A log of three lines, and a file to scratch on."""
    path = tmp_path_factory.mktemp("log") / "answers.jsonl"
    data = write(path, [line(number, text='"}\n{中' * number) for number in range(3)])
    return data, path


@given(data=st.data())
def test_cut_anywhere_loses_at_most_the_line_that_was_cut(whole, data):
    complete, path = whole
    size = data.draw(st.integers(0, len(complete)))
    path.write_bytes(complete[:size])
    kept = complete[:size].count(b"\n")
    rest = complete[:size].rpartition(b"\n")[2]
    is_only_unended = rest != b"" and rest == complete.split(b"\n")[kept]
    with AnswerLog(path, ["request"]) as log:
        assert len(log.records) == kept + is_only_unended
        assert log.torn_bytes == (0 if is_only_unended else len(rest))
        log.append(line(9))
    lines = path.read_bytes().splitlines()
    assert [json.loads(one)["request"] for one in lines] == [
        *(f"r{number}" for number in range(kept + is_only_unended)),
        "r9",
    ]


def test_zeros_at_the_end_are_what_a_power_cut_leaves(tmp_path):
    path = tmp_path / "answers.jsonl"
    whole = write(path, [line(1)])
    path.write_bytes(whole + b"\0" * 100)
    with AnswerLog(path, ["request"]) as log:
        assert log.torn_bytes == 100
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("damage", "place"),
    [
        (log_line({"request": "r1"}) + b'{"request":"r2\n', "line 2: is damaged"),
        (log_line({"request": "r1"}) + b"[1]\n", "line 2: is damaged"),
        (b'{"request":"r1"}\n', "line 1: is damaged: it has no checksum"),
        (log_line({"id": "r1"}), "line 1: must hold request"),
        (log_line({"request": ["r1"]}), "line 1: must hold request"),
        (b"\x89PNG some other file", r'line 1: must begin with {"request":'),
        (b'{"id": "somebody\'s data', r'line 1: must begin with {"request":'),
    ],
)
def test_damage_is_an_error_with_its_line_and_nothing_is_cut(tmp_path, damage, place):
    path = tmp_path / "answers.jsonl"
    path.write_bytes(damage)
    for read in (lambda: AnswerLog(path, ["request"]), lambda: read_answers(path, ["request"])):
        with pytest.raises(FormatError, match=place):
            read()
    assert path.read_bytes() == damage


def test_one_writer_a_file(tmp_path):
    path = tmp_path / "answers.jsonl"
    with AnswerLog(path, ["request"]) as log:
        log.append(line(1))
        with pytest.raises(LockedError, match=r"answers\.jsonl: .* lock of its lines"):
            AnswerLog(path, ["request"])
        assert read_answers(path, ["request"]) == [line(1)]
    AnswerLog(path, ["request"]).close()


def test_lock_ends_with_its_process(tmp_path):
    path = tmp_path / "answers.jsonl"
    code = (
        "import os, sys; from pathlib import Path; from packkit.infimed.chat import AnswerLog\n"
        "log = AnswerLog(Path(sys.argv[1]), ['request']); log.append({'request': 'r1'})\n"
        "os.kill(os.getpid(), 9)"
    )
    result = subprocess.run([sys.executable, "-c", code, path], check=False)
    assert result.returncode == -9
    with AnswerLog(path, ["request"]) as log:
        assert list(log.records) == [("r1",)]


def test_descriptor_is_closed_after_an_error(tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_bytes(b"no JSON\n")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FormatError):
        AnswerLog(path, ["request"])
    assert len(os.listdir("/proc/self/fd")) == before
