"""Files open for reading, a bounded number at a time.

A set may have more files than a process may keep open. There is no lock and no file position, so
threads share a pool and a fork inherits one. A file is closed once nobody reads from it.
"""

from __future__ import annotations

import os
import weakref
from functools import lru_cache
from pathlib import Path

from packkit.base.reads import read_range

_MOST_OPEN_FILES = 64


class FilePool:
    """Reads byte ranges of files that it keeps open."""

    def __init__(self) -> None:
        self._open = lru_cache(_MOST_OPEN_FILES)(_OpenFile)

    def read(self, path: Path, size: int, offset: int) -> bytes:
        """Returns the bytes of a range; fewer where the file ends.

        Raises:
            OSError: The file cannot be read.
        """
        # Held by this frame, the file outlives its eviction by another thread.
        file = self._open(path)
        return read_range(file.descriptor, offset, max(0, min(size, file.size - offset)))

    def close(self) -> None:
        """Closes the files."""
        self._open.cache_clear()


class _OpenFile:
    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self.descriptor)
        self.size = os.fstat(self.descriptor).st_size
