"""What becomes of errors: one line, an exit code, and nothing lost of where they come from."""

import errno
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from packkit.base.errors import CheckpointError, FormatError, InputError
from packkit.cli import main as command_line


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs main with an application that does this; returns exit code, stdout and stderr."""

    def run_main(application):
        monkeypatch.setattr(command_line, "app", lambda standalone_mode: application())
        monkeypatch.setattr(command_line, "given_flags", lambda app, words: [("--out", "a")])
        with pytest.raises(SystemExit) as end:
            command_line.main()
        return end.value.code, *capsys.readouterr()

    with warnings.catch_warnings():
        yield run_main


def raising(error):
    def application():
        raise error

    return application


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EIO, "Input/output error", b"a/b"), "a/b: Input/output error"),
        (
            OSError(errno.EROFS, "Read-only file system", "a/b"),
            "cannot write to a/b: its file system is read-only; name another --out",
        ),
        (OSError(errno.EXDEV, "Cross-device link", "a", None, "b"), "a -> b: Cross-device link"),
        (OSError("no words of the system"), "no words of the system"),
        (CheckpointError("run/step", "cannot be read"), "run/step: cannot be read"),
        (FormatError("a\x1b[31m", "torn"), "a\\x1b[31m: torn"),
    ],
)
def test_expected_errors_name_their_file(run, error, words):
    assert run(raising(error)) == (1, "", f"packkit: {words}\n")


def test_an_error_of_packkit_says_what_the_system_refused(run):
    def save():
        cause = OSError(errno.EROFS, "Read-only file system", "a/b")
        raise CheckpointError("a", f"cannot save it: {cause}") from cause

    said = "cannot save it: cannot write to a/b: its file system is read-only; name another --out"
    assert run(save) == (1, "", f"packkit: a: {said}\n")


def test_exit_codes(run, monkeypatch):
    monkeypatch.setattr(command_line, "flags_of", lambda app, words: {"max_len": "--max-len"})
    assert run(raising(InputError("max_len must be 8")))[0] == 2
    code, _, said = run(lambda: 130)
    assert (code, said) == (130, "packkit: interrupted; the same command goes on from here\n")
    assert run(lambda: None)[0] in (None, 0)
    assert run(lambda: 1) == (1, "", "")


@pytest.mark.parametrize("error", [TypeError("\x1b[31m"), RecursionError("deep"), MemoryError()])
def test_unexpected_errors_are_one_line_that_says_where_the_trace_is(run, error):
    code, out, said = run(raising(error))
    assert (code, out) == (1, "")
    (line,) = said.splitlines()
    assert line.startswith(f"packkit: unexpected {type(error).__name__}")
    assert "\x1b" not in line
    trace = Path(re.search(r"; (\S+) says where$", line)[1])
    try:
        assert "in application" in trace.read_text()
    finally:
        trace.unlink()


def test_a_trace_that_no_file_takes_is_shown(run, monkeypatch):
    def no_file(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(command_line, "NamedTemporaryFile", no_file)
    said = run(raising(TypeError("odd")))[2].splitlines()
    assert said[0] == "packkit: unexpected TypeError: odd"
    assert "  TypeError: odd" in said


def test_warnings_are_one_line(run):
    def warn():
        warnings.warn("packs of \x1b[2J", UserWarning, stacklevel=1)

    warnings.simplefilter("always")
    assert run(warn)[2] == "packkit: warning: packs of \\x1b[2J\n"


def test_a_reader_that_goes_away_is_no_error():
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "packkit", "catalog", "--json"]
    result = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (result.returncode, result.stderr) == (1, b"")


def test_a_full_device_is_said():
    command = [sys.executable, "-m", "packkit", "catalog"]
    with open("/dev/full", "wb") as full:
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert result.returncode == 1
    assert b"No space left on device" in result.stderr.splitlines()[0]
    assert b"Traceback" not in result.stderr
