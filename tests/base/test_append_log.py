"""An append-only log: nothing finished is lost, and nothing foreign is cut."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.append_log import AppendLog
from packkit.base.errors import FormatError

RECORDS = [{"step": number, "text": '"}\n{中' * number} for number in range(3)]


def log_at(path, **options):
    return AppendLog(path, ["step", "start"], **{"sync": False, **options})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of a log, and a file to scratch on."""
    path = tmp_path_factory.mktemp("log") / "deep" / "log.jsonl"
    log_at(path).append(*RECORDS)
    return path.read_bytes(), path


@given(data=st.data(), sync=st.booleans())
def test_cut_anywhere_it_loses_at_most_the_line_that_was_cut(whole, data, sync):
    complete, path = whole
    size = data.draw(st.integers(0, len(complete)))
    path.write_bytes(complete[:size])
    kept = [record for record in RECORDS if complete[:size].count(line_of(record))]
    assert log_at(path).read() == kept
    log_at(path, sync=sync).append({"start": 1}, {"step": 9})
    assert log_at(path).read() == [*kept, {"start": 1}, {"step": 9}]
    assert all(json.loads(line) for line in path.read_bytes().splitlines())


def line_of(record):
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


@given(foreign=st.binary(max_size=12))
def test_what_is_not_ours_is_never_cut(whole, foreign):
    _, path = whole
    before = b'{"step":1}\n' + foreign
    path.write_bytes(before)
    try:
        log_at(path).append({"step": 2})
    except FormatError:
        assert path.read_bytes() == before
    else:
        tail = foreign.rpartition(b"\n")[2]
        ours = any(head.startswith(tail[: len(head)]) for head in (b'{"step":', b'{"start":'))
        assert ours or not tail.strip(b"\0") or isinstance(json.loads(tail), dict)
        assert path.read_bytes().startswith(before.removesuffix(tail))


def test_a_log_that_is_not_there_has_no_lines(tmp_path):
    assert log_at(tmp_path / "none.jsonl").read() == []
    assert not (tmp_path / "none.jsonl").exists()


def test_bytes_cut_off_are_counted_and_an_object_is_none(tmp_path):
    path = tmp_path / "log.jsonl"
    for tail, cut in ((b'{"st', 4), (b"\0" * 7, 7), (b'{"step":3}', 0), (b"", 0)):
        path.write_bytes(b'{"step":1}\n' + tail)
        assert log_at(path).mend() == cut


KILLED = """
import sys
from pathlib import Path
from packkit.base.append_log import AppendLog
log = AppendLog(Path(sys.argv[1]), ["step"], sync=False)
number = len(log.read())
while True:
    log.append({"step": number, "text": "x" * (number % 5000)})
    number += 1
"""


def test_a_killed_writer_leaves_a_log_that_goes_on(tmp_path):
    path = tmp_path / "log.jsonl"
    seen = 0
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(path)])
        deadline = time.monotonic() + 30
        while len(log_at(path).read()) < seen + 50:
            assert process.poll() is None and time.monotonic() < deadline
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        steps = [record["step"] for record in log_at(path).read()]
        assert steps == list(range(len(steps))) and len(steps) >= seen + 50
        seen = len(steps)
