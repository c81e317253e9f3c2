"""Files that appear under their name only when all of their bytes are on disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xxhash

from packkit.base.errors import ChecksumError

_SEAL_BYTES = 16
_BLOCK_BYTES = 1 << 20


@contextmanager
def names_in_errors(*paths: str | Path) -> Iterator[None]:
    """Gives every `OSError` inside that names no file the one or two that are at work.

    What writes to an open file, such as ``write`` and ``fsync``, raises errors without a name.

    Args:
        paths: The file; or the one read and the one written, where it may be either.
    """
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(paths[0])
            if len(paths) > 1:
                error.filename2 = str(paths[1])
        raise


def read_file(path: Path) -> bytes:
    """Returns all bytes of a file; an error names it."""
    with names_in_errors(path):
        return path.read_bytes()


def write_atomically(path: Path, data: bytes | memoryview) -> None:
    """Writes a file under a temporary name, flushes it to disk and renames it.

    Args:
        path: Final name of the file; its folder is made where it is missing.
        data: All bytes of the file.

    Raises:
        OSError: The file cannot be written; its old content stays, and nothing else is left.
    """
    make_folder(path.parent)
    temporary = path.with_name(path.name + ".tmp")
    try:
        with names_in_errors(temporary), open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        # On a full disk it would take the place that others need.
        temporary.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            error.add_note(f"this file needs {len(data):,} bytes")
        raise
    os.rename(temporary, path)
    sync_folder(path.parent)


def check_writable(path: Path) -> None:
    """Raises the OSError that writing a file would, before the work whose result it is to hold.

    Args:
        path: Final name of the file; its folder is made where it is missing.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    make_folder(path.parent)
    temporary = path.with_name(path.name + ".tmp")
    temporary.touch()
    temporary.unlink()


def make_folder(folder: Path) -> None:
    """Makes a folder, and those above it, that survive a power cut; one that is there stays."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Flushes a folder to disk, so that a rename in it survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with names_in_errors(folder):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_sealed(path: Path, data: bytes | memoryview) -> bytes:
    """Writes a file with its checksum behind its content, and returns the checksum.

    Args:
        path: Final name of the file; its folder is made where it is missing.
        data: Content of the file.
    """
    seal = xxhash.xxh3_128_digest(data)
    write_atomically(path, bytes(data) + seal)
    return seal


def split_sealed(path: Path, data: memoryview) -> tuple[memoryview, bytes]:
    """Returns content and checksum of a file that `write_sealed` wrote.

    Args:
        path: Path of the file, for the error.
        data: All of its bytes.

    Raises:
        ChecksumError: The file was changed after it was written.
    """
    content, seal = data[:-_SEAL_BYTES], bytes(data[-_SEAL_BYTES:])
    if len(data) < _SEAL_BYTES or xxhash.xxh3_128_digest(content) != seal:
        raise ChecksumError(path, "is damaged: its checksum differs")
    return content, seal


def file_checksum(path: Path) -> str:
    """Returns the checksum (xxh3_128) of a file in hex; it is read block by block."""
    digest = xxhash.xxh3_128()
    update_digest(digest, path)
    return digest.hexdigest()


def update_digest(digest: Any, path: Path) -> int:  # noqa: ANN401
    """Feeds a file to a hash block by block, and returns the number of its bytes.

    Args:
        digest: Hash of hashlib or xxhash.
        path: Path of the file.
    """
    size = 0
    with open(path, "rb") as file, names_in_errors(path):
        while block := file.read(_BLOCK_BYTES):
            size += len(block)
            digest.update(block)
    return size
