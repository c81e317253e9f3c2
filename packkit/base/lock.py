"""A file that only one process at a time may hold."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from packkit.base.errors import LockedError
from packkit.base.files import make_folder


class FileLock:
    """An exclusive lock on a file, held until it is released or its process ends.

    Args:
        path: File to lock; it and its folder are made where they are missing. The holder may remove
            them before it releases the lock.
        locked: What the file stands for, such as ``pack set packs``; for the message.

    Raises:
        LockedError: Another process holds the lock; there is no waiting for it.
        OSError: The file cannot be made, or its file system has no locks.
    """

    def __init__(self, path: Path, locked: str) -> None:
        make_folder(path.parent)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The last holder may have removed the file after we opened it: then this lock is void.
            if not os.path.samestat(os.stat(path), os.fstat(self._file)):
                raise BlockingIOError
        except OSError as error:
            holder = _holder(self._file)
            self.release()
            if isinstance(error, (BlockingIOError, FileNotFoundError)):
                raise LockedError(path, locked, holder) from None
            raise

    def release(self) -> None:
        """Lets others lock the file."""
        os.close(self._file)

    def __enter__(self) -> FileLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _holder(file: int) -> str:
    """Returns who holds the lock of an open file, as far as Linux tells."""
    status = os.fstat(file)
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    try:
        locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        locks = []
    for fields in map(str.split, locks):
        # 1: FLOCK ADVISORY WRITE 24446 fe:00:2146398 0 EOF
        if fields[1] == "FLOCK" and fields[5] == f"{device}:{status.st_ino}":
            return f"process {fields[4]}"
    return "another process"
