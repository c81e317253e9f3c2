"""Without a terminal a line comes by the clock, also while nothing advances; with one, none."""

import os
import pty
import re
import signal
import subprocess
import sys
import time

from packing_inputs import caption, write_lines
from rich.console import Console
from rich.progress import TextColumn

from packkit.cli import heartbeat
from packkit.cli.heartbeat import Bars

LINE = re.compile(r"packkit: (.+), \d+:\d\d:\d\d so far")
# The command line with another interval, in seconds, its first argument.
COMMAND = """
import sys
from packkit.cli import heartbeat
from packkit.cli.main import main

heartbeat.INTERVAL = float(sys.argv.pop(1))
main()
"""


def start(interval, *arguments, **streams):
    """Starts the command line, its lines as far apart as that."""
    command = [sys.executable, "-c", COMMAND, str(interval), *map(str, arguments)]
    return subprocess.Popen(command, text=True, **streams)


def test_lines_come_while_nothing_advances(tmp_path, qwen3_folder):
    """The input is a pipe to which nothing is written."""
    arguments = ("pack", "--out", tmp_path / "packs", "--tokenizer", qwen3_folder)
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with start(0.2, *arguments, **streams) as process:
        lines = [process.stderr.readline() for _ in range(3)]
        process.stdin.close()
        rest = process.stderr.read()
    assert [LINE.fullmatch(line.strip())[1] for line in lines] == ["at work"] * 3
    assert "Traceback" not in rest


def test_a_command_that_is_done_sooner_prints_no_line(tmp_path, qwen3_folder):
    write_lines(tmp_path / "a.jsonl", [caption(i) for i in range(3)])
    arguments = ("pack", tmp_path / "a.jsonl", "--out", tmp_path / "packs")
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with start(heartbeat.INTERVAL, *arguments, "--tokenizer", qwen3_folder, **streams) as process:
        assert process.stderr.read() == ""
    assert process.returncode == 0
    assert heartbeat.INTERVAL == 30


def test_a_terminal_gets_no_line(tmp_path, qwen3_folder):
    own, theirs = pty.openpty()
    arguments = ("pack", "--out", tmp_path / "packs", "--tokenizer", qwen3_folder)
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": theirs}
    with start(0.05, *arguments, **streams) as process:
        time.sleep(2)
        process.stdin.close()
    os.close(theirs)
    assert "so far" not in os.read(own, 1 << 16).decode()
    os.close(own)


def test_ctrl_c_is_heard_at_once(tmp_path, qwen3_folder):
    arguments = ("pack", "--out", tmp_path / "packs", "--tokenizer", qwen3_folder)
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with start(0.2, *arguments, **streams) as process:
        assert "so far" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        said = process.stderr.read().split("\n")
    assert process.returncode == 130
    first, last = [line for line in said if line and "so far" not in line]
    assert first == "packkit: stopping ..."
    assert last == "packkit: interrupted; the same command goes on from here"


def test_lines_say_what_is_counted_and_how_far_it_is():
    console = Console(stderr=True, force_terminal=False)
    with Bars(TextColumn(""), console=console, is_silent=True) as bars:
        assert LINE.fullmatch(f"packkit: {bars.line()}")[1] == "at work"
        bars.add_task("measuring spans", total=1200, completed=3)
        assert LINE.fullmatch(f"packkit: {bars.line()}")[1] == "measuring spans: 3 of 1,200"
        bars.add_task("drawing from a", total=None)
        assert LINE.fullmatch(f"packkit: {bars.line()}")[1] == "drawing from a"
        bars.add_task("loss 2.5", total=6, completed=2, step=True)
        assert LINE.fullmatch(f"packkit: {bars.line()}")[1] == "step 2 of 6: loss 2.5"


def test_days_are_told(monkeypatch):
    with Bars(TextColumn(""), console=Console(stderr=True), is_silent=True) as bars:
        now = time.monotonic()
        monkeypatch.setattr(heartbeat.time, "monotonic", lambda: now + 30 * 3600)
        assert bars.line().startswith("at work, 1 day, 6:00:0")


def test_nothing_is_printed_once_a_command_is_over(monkeypatch, capsys):
    monkeypatch.setattr(heartbeat, "INTERVAL", 0.02)
    with Bars(TextColumn(""), console=Console(stderr=True, force_terminal=False)):
        time.sleep(0.3)
    printed = capsys.readouterr().err.splitlines()
    assert 2 <= len(printed) <= 15
    time.sleep(0.1)
    assert capsys.readouterr().err == ""
    with Bars(TextColumn(""), console=Console(stderr=True, force_terminal=False), is_silent=True):
        time.sleep(0.1)
    assert "so far" not in capsys.readouterr().err
