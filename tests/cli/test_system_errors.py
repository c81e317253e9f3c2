"""What the system refuses is said in words: the file, what is needed, and the way out."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from packing_inputs import caption, write_lines

from packkit.base.files import make_folder, write_atomically
from packkit.cli import system_errors
from packkit.cli.system_errors import in_words


def refused(code, path, *more):
    return OSError(code, os.strerror(code), str(path), *more)


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "packs.json").write_text("{}")
    (tmp_path / "folder").mkdir()


@pytest.mark.parametrize("make", [make_folder, lambda path: write_atomically(path / "x", b"")])
@pytest.mark.parametrize("name", ["packs.json", "packs.json/a/b"])
def test_a_file_where_a_folder_must_be(make, name):
    with pytest.raises(OSError) as caught:
        make(Path(name))
    said = in_words(caught.value, [("--seed", "3"), ("--out", name)])
    assert said == "packs.json must be a folder, but it is a file; name another --out"


def test_a_file_above_a_folder():
    said = in_words(refused(errno.ENOTDIR, "packs.json/a/lock"), [("--out", "packs.json/a")])
    assert said == (
        "packs.json/a/lock must lie in a folder, but packs.json is a file; name another --out"
    )


def test_a_folder_where_a_file_must_be():
    with pytest.raises(OSError) as caught:
        write_atomically(Path("folder"), b"x")
    said = in_words(caught.value, [("--out", "folder")])
    assert said == "folder must be a file, but it is a folder; name another --out"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("new/x.tmp", "cannot write to new/x: it is read-only for this user; name another --out"),
        ("folder", "cannot write to folder: it is read-only for this user; name another --out"),
    ],
)
@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM])
def test_a_place_that_the_user_may_not_write(code, path, said, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.R_OK)
    assert in_words(refused(code, path), [("--out", path.removesuffix(".tmp"))]) == said


def test_a_file_that_the_user_may_not_read(monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    said = in_words(refused(errno.EACCES, "packs.json"))
    assert said == "this user may not read packs.json; name another place"


def test_a_full_disk_says_how_much_is_free_and_what_was_needed(monkeypatch, tmp_path):
    def fail(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    usage = type("usage", (), {"free": 1500, "total": 65536})
    monkeypatch.setattr(os, "fsync", fail)
    monkeypatch.setattr(system_errors.shutil, "disk_usage", lambda folder: usage)
    monkeypatch.setattr(os.path, "ismount", lambda folder: folder == tmp_path)
    with pytest.raises(OSError) as caught:
        write_atomically(tmp_path / "folder" / "x", b"x" * 2000)
    assert in_words(caught.value) == (
        f"cannot write {tmp_path}/folder/x: the disk is full, 1,500 of 65,536 bytes are free at "
        f"{tmp_path}; this file needs 2,000 bytes; "
        "once there is room, the same command goes on from there"
    )


def test_what_nothing_is_known_of_is_what_the_system_says():
    assert in_words(refused(errno.EIO, "a")) == "a: Input/output error"
    assert in_words(refused(errno.EXDEV, "a", None, "b")) == "a -> b: Invalid cross-device link"
    assert in_words(refused(errno.EEXIST, "folder")) == "folder: File exists"
    assert in_words(OSError("no words of the system")) == "no words of the system"


@pytest.mark.parametrize("out", ["packs.json", "packs.json/packs"])
def test_no_command_works_into_a_file(out, tmp_path, qwen3_folder):
    write_lines(tmp_path / "a.jsonl", [caption(i) for i in range(3)])
    command = [sys.executable, "-m", "packkit", "pack", "a.jsonl", f"--out={out}"]
    command += ["--tokenizer", str(qwen3_folder)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert "packs.json is a file" in line or "packs.json must be a folder" in line
    assert line.endswith("; name another --out")
