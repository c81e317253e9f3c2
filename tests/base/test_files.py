import os

import pytest

from packkit.base import files
from packkit.base.files import sync_folder, write_atomically


@pytest.fixture
def calls(monkeypatch):
    """Records the system calls that make a write durable, in order."""
    seen = []

    def spy(name):
        original = getattr(os, name)

        def call(*args):
            seen.append(name)
            return original(*args)

        monkeypatch.setattr(files.os, name, call)

    for name in ("fsync", "rename"):
        spy(name)
    return seen


@pytest.mark.parametrize("data", [b"", b"bytes", memoryview(b"view")])
def test_whole_content_under_its_name(tmp_path, data):
    path = tmp_path / "new" / "folder" / "file.json"
    write_atomically(path, data)
    assert path.read_bytes() == data
    assert os.listdir(path.parent) == ["file.json"]


def test_replaces_what_was_there(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"a much longer old content")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


def test_what_a_killed_run_left_is_overwritten(tmp_path):
    (tmp_path / "file.tmp").write_bytes(b"half of an older and longer content")
    write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]


def test_bytes_are_on_disk_before_the_name_and_the_name_before_the_return(tmp_path, calls):
    write_atomically(tmp_path / "file", b"x")
    assert calls == ["fsync", "rename", "fsync"]


@pytest.mark.parametrize("failing", ["fsync", "rename"])
def test_a_failed_write_leaves_the_old_content(tmp_path, monkeypatch, failing):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(files.os, failing, fail)
    with pytest.raises(OSError, match="no space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"


def test_sync_folder_takes_folders_alone(tmp_path):
    sync_folder(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        sync_folder(tmp_path / "file")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        sync_folder(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before
