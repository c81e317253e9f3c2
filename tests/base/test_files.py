import errno
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base import files
from packkit.base.errors import ChecksumError
from packkit.base.files import (
    check_writable,
    make_folder,
    names_in_errors,
    split_sealed,
    sync_folder,
    write_atomically,
    write_sealed,
)


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


class Failing:
    """A file whose disk is full or broken, as an open file reports it: without a name."""

    def __init__(self, code):
        self.code = code

    def __call__(self, *_):
        raise OSError(self.code, os.strerror(self.code))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_errors_of_open_files_name_them_and_leave_nothing(tmp_path, monkeypatch, code):
    monkeypatch.setattr(files.os, "fsync", Failing(code))
    with pytest.raises(OSError, match=re.escape(f": '{tmp_path}/file.tmp'") + r"(\n|$)") as caught:
        write_atomically(tmp_path / "file", b"x")
    assert caught.value.errno == code
    assert os.listdir(tmp_path) == []
    with pytest.raises(OSError, match=re.escape(f": '{tmp_path}'") + "$"):
        sync_folder(tmp_path)


def test_errors_that_have_a_name_keep_it_and_two_names_stand_both():
    with pytest.raises(FileNotFoundError, match=r"'/none'$"), names_in_errors(Path("a")):
        os.stat("/none")
    with pytest.raises(OSError, match=r"'a' -> 'b'$"), names_in_errors(Path("a"), Path("b")):
        raise OSError(errno.EIO, "broken")


def test_new_folders_are_on_disk_before_anything_in_them(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(files, "sync_folder", synced.append)
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert synced == [tmp_path, tmp_path / "a"]


@given(st.binary(max_size=40), st.data())
def test_sealed_files_come_back_or_are_damaged(tmp_path_factory, content, data):
    path = tmp_path_factory.mktemp("sealed") / "file"
    seal = write_sealed(path, content)
    stored = bytearray(path.read_bytes())
    assert split_sealed(path, memoryview(stored)) == (content, seal)
    stored[data.draw(st.integers(0, len(stored) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(ChecksumError, match="file: is damaged"):
        split_sealed(path, memoryview(stored))
    with pytest.raises(ChecksumError):
        split_sealed(path, memoryview(bytes(stored))[: data.draw(st.integers(0, 15))])


def test_a_place_is_checked_and_left_as_it_was(tmp_path):
    check_writable(tmp_path / "new" / "file")
    assert os.listdir(tmp_path / "new") == []
    (tmp_path / "file").write_bytes(b"old")
    check_writable(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"old"
    for wrong, code in ((tmp_path, errno.EISDIR), (tmp_path / "file" / "x", errno.EEXIST)):
        with pytest.raises(OSError) as caught:
            check_writable(wrong)
        assert caught.value.errno == code
