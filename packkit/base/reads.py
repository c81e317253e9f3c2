"""Reads that give all the bytes asked for, and the size above which nothing is read at once."""

from __future__ import annotations

import os

MAX_RECORD_BYTES = 256 << 20
"""Largest record, and largest image file, that is held in memory."""


def read_range(descriptor: int, offset: int, size: int) -> bytes:
    """Returns the bytes of a range of a file; fewer only where the file ends.

    One call to the system gives at most 2,147,479,552 bytes, and on a network file system
    any number of them.

    Args:
        descriptor: The open file, whose position is neither used nor moved.
        offset: First byte of the range.
        size: Number of bytes of the range.

    Raises:
        OSError: The file cannot be read.
    """
    data = os.pread(descriptor, size, offset)
    if len(data) == size or not data:
        return data
    blocks = [data]
    offset, size = offset + len(data), size - len(data)
    while size and (data := os.pread(descriptor, size, offset)):
        blocks.append(data)
        offset, size = offset + len(data), size - len(data)
    return b"".join(blocks)
