"""One process holds a lock, and whatever ends that process releases it."""

import errno
import os
import shutil
import subprocess
import sys

import pytest

from packkit.base import lock
from packkit.base.errors import LockedError
from packkit.base.lock import FileLock

HOLDER = """
import sys
from pathlib import Path
from packkit.base.lock import FileLock

lock = FileLock(Path(sys.argv[1]), "thing")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "lock"


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_error_names_the_file_and_what_is_locked(path):
    held = FileLock(path, "thing")
    before = descriptors()
    with pytest.raises(LockedError) as caught:
        FileLock(path, "pack set packs")
    holder = f"process {os.getpid()}"
    assert str(caught.value) == f"{path}: {holder} holds the lock of pack set packs"
    assert caught.value.holder == holder
    assert (caught.value.path, caught.value.locked) == (str(path), "pack set packs")
    assert descriptors() == before
    held.release()


def test_what_is_released_can_be_locked_again_and_keeps_its_content(path):
    path.parent.mkdir()
    path.write_bytes(b"content")
    for _ in range(2):
        FileLock(path, "thing").release()
    assert path.read_bytes() == b"content"


def test_killed_holder_leaves_the_lock_to_others(path):
    command = [sys.executable, "-c", HOLDER, path]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LockedError):
            FileLock(path, "thing")
        holder.kill()
        assert holder.wait() == -9
    FileLock(path, "thing").release()


def test_holder_may_remove_the_file(path):
    held = FileLock(path, "thing")
    shutil.rmtree(path.parent)
    following = FileLock(path, "thing")
    held.release()
    with pytest.raises(LockedError):
        FileLock(path, "thing")
    following.release()


@pytest.mark.parametrize("is_made_anew", [False, True])
def test_lock_on_a_file_that_its_holder_removed_meanwhile_is_void(path, monkeypatch, is_made_anew):
    original = lock.fcntl.flock

    def remove_first(file, operation):
        path.unlink()
        if is_made_anew:
            path.touch()
        original(file, operation)

    monkeypatch.setattr(lock.fcntl, "flock", remove_first)
    before = descriptors()
    with pytest.raises(LockedError):
        FileLock(path, "thing")
    assert descriptors() == before


def test_file_system_without_locks_is_no_other_holder(path, monkeypatch):
    def fail(file, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock.fcntl, "flock", fail)
    before = descriptors()
    with pytest.raises(OSError, match="No locks available"):
        FileLock(path, "thing")
    assert descriptors() == before
