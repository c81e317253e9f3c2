"""A lock that one process holds at a time, and that ends with its process."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self

from packkit.base.errors import LockedError


class FileLock:
    """A lock on a file, taken at once or not at all.

    Args:
        path: File that is locked; made, with its folder, where it is missing.
        place: What is called locked in the error; by default the file.

    Raises:
        LockedError: Another process, or another lock of this one, holds it.
    """

    def __init__(self, path: Path, place: Path | None = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The last holder may have removed the file after we opened it: then this lock is void.
            if os.stat(path).st_ino != os.fstat(self._descriptor).st_ino:
                raise BlockingIOError
        except (BlockingIOError, FileNotFoundError):
            self.release()
            raise LockedError(place or path) from None

    def release(self) -> None:
        """Lets others take the lock."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
