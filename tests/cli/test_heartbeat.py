"""Where nobody sees bars, a line says every now and then what is under way, and how far it is."""

import os
import pty
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from packkit.cli import heartbeat
from packkit.cli.progress import counting, progress

COMMAND = """
import sys
from packkit.cli import heartbeat
heartbeat.INTERVAL = 0.05
from packkit.cli.main import main
sys.argv[0] = "packkit"
main()
"""


@pytest.fixture
def beating(monkeypatch):
    monkeypatch.setattr(heartbeat, "INTERVAL", 0.02)


def wait_for(capsys, *words):
    """Waits for a line that holds the words; returns it."""
    deadline, seen = time.monotonic() + 10, ""
    while time.monotonic() < deadline:
        seen += capsys.readouterr().err
        for line in seen.splitlines():
            if all(word in line for word in words):
                return line
        time.sleep(0.01)
    raise AssertionError(f"no line holds {words}: {seen!r}")


@pytest.mark.usefixtures("beating")
def test_lines_come_by_time_and_say_how_far_it_is(capsys):
    with heartbeat.heartbeat():
        assert wait_for(capsys, "at work").startswith("packkit: 0:00:0")
        with progress() as on_progress:
            wait_for(capsys, "starting")
            on_progress("measure", 3, 1200)
            wait_for(capsys, "3 of 1,200  measuring spans")
            # Also while nothing advances.
            wait_for(capsys, "3 of 1,200  measuring spans")
            on_progress("write", 1, 2)
            wait_for(capsys, "1 of 2  writing shards")
        with counting() as bars:
            bars.add_task("judging \x1b[2J", total=None)
            wait_for(capsys, "0  judging \\x1b[2J")
        wait_for(capsys, "at work")
    assert not [thread for thread in threading.enumerate() if "heartbeat" in thread.name]
    capsys.readouterr()
    time.sleep(0.1)
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("beating")
def test_other_ranks_and_terminals_say_nothing(capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    with heartbeat.heartbeat():
        time.sleep(0.1)
    assert capsys.readouterr().err == ""
    monkeypatch.delenv("RANK")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with heartbeat.heartbeat():
        time.sleep(0.1)
    assert capsys.readouterr().err == ""


@pytest.fixture
def packing(tmp_path, qwen3_folder):
    """A command that reads what nobody writes, so that it lasts."""
    words = ["pack", "--out", tmp_path / "packs", "--tokenizer", qwen3_folder]
    return [sys.executable, "-c", COMMAND, *map(str, words)]


def test_a_long_command_is_heard_where_its_output_is_no_terminal(packing):
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(packing, **pipes) as process:
        lines = [process.stderr.readline() for _ in range(3)]
        process.kill()
    assert all(line.startswith(b"packkit: 0:00:0") for line in lines), lines


def test_ctrl_c_is_heard_at_once(packing):
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(packing, **pipes) as process:
        assert b"at work" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        said = process.stderr.read().splitlines()
    assert process.returncode == 130
    first, last = [line for line in said if line and not line.startswith(b"packkit: 0:00")]
    assert first == b"packkit: stopping ..."
    assert last == b"packkit: interrupted; the same command goes on from here"


def test_on_a_terminal_it_draws_bars_instead(packing):
    ours, terminal = pty.openpty()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": terminal}
    with subprocess.Popen(packing, **pipes, env={**os.environ, "TERM": "xterm"}) as process:
        os.close(terminal)
        time.sleep(1)
        process.communicate(b'{"content": "A heart."}\n')
        shown = bytearray()
        # The other end of a terminal that nobody holds any more cannot be read.
        with suppress(OSError):
            while part := os.read(ours, 4096):
                shown += part
    os.close(ours)
    assert process.returncode == 0, shown
    assert b"writing shards" in shown
    assert b"packkit: 0:00" not in shown
