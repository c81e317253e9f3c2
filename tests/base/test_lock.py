"""One holder at a time, and none that is dead."""

import os
import signal
import subprocess
import sys

import pytest

from packkit.base.errors import LockedError
from packkit.base.lock import FileLock


def test_a_second_holder_is_refused_by_the_name_of_the_place(tmp_path):
    with FileLock(tmp_path / "deep" / "lock", tmp_path):
        with pytest.raises(LockedError, match="another process") as error:
            FileLock(tmp_path / "deep" / "lock", tmp_path)
        assert error.value.path == str(tmp_path)
        FileLock(tmp_path / "other").release()
    FileLock(tmp_path / "deep" / "lock").release()


def test_a_lock_ends_with_its_process(tmp_path):
    path = tmp_path / "lock"
    code = "import sys, time; from pathlib import Path; from packkit.base.lock import FileLock\n"
    code += "lock = FileLock(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LockedError):
            FileLock(path)
        os.kill(holder.pid, signal.SIGKILL)
    FileLock(path).release()


def test_a_file_that_its_holder_removed_is_locked_no_more(tmp_path, monkeypatch):
    path = tmp_path / "lock"
    before = len(os.listdir("/proc/self/fd"))
    # Between opening the file and locking it, the last holder removes it.
    monkeypatch.setattr("packkit.base.lock.fcntl.flock", lambda *_: path.unlink())
    with pytest.raises(LockedError):
        FileLock(path)
    assert len(os.listdir("/proc/self/fd")) == before
