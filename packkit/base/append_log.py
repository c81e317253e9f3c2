"""A file of JSON lines that only grows, and goes on where its writer was killed.

Every line is an object that begins with one of a few fields, which the owner of the file names, and
ends with ``"checksum"``: xxh3_64 of the line without that field, in hex. A killed process or a
power cut can leave the last line unfinished. Opening the file to append mends that: an object that
misses only its line break gets it, the beginning of a line is cut off. Any other end is damage: an
error, and the file stays as it is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import xxhash

from packkit.base.errors import ChecksumError, FormatError
from packkit.base.files import names_in_errors, read_file, sync_folder

_SEAL = b',"checksum":"%b"}'
_SEAL_BYTES = len(_SEAL % bytes(16))


class AppendLog:
    """A file of JSON lines, mended and ready for more; it may have one writer at a time.

    No descriptor stays open between two appends, so that nothing needs to be closed.

    Args:
        path: File to append to; it and its folder are made where they are missing.
        first_fields: Names of the fields that a line can begin with.
        fsync: Whether a line is on disk once `append` returns, so that a power cut spares it too.

    Attributes:
        path: File to append to.
        torn_bytes: Number of bytes of an unfinished last line that were cut off.

    Raises:
        FormatError: The file ends in something else than a line or the beginning of one.
        OSError: The file cannot be read or written.
    """

    def __init__(self, path: Path, first_fields: Sequence[str], *, fsync: bool = False) -> None:
        self.path, self._fsync = path, fsync
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        data = read_file(path)
        _, self.torn_bytes = _split(path, data, first_fields)
        size = len(data) - self.torn_bytes
        if self.torn_bytes:
            os.truncate(path, size)
        if size and data[size - 1 : size] != b"\n":
            self._write(b"\n")
        if fsync:
            self._write(b"")
            sync_folder(path.parent)

    def append(self, *records: Mapping[str, Any]) -> None:
        """Appends one line for each record; after an error the file is as it was before.

        Args:
            records: Objects that begin with one of the first fields of the log.

        Raises:
            OSError: The lines cannot be written.
        """
        self._write(b"".join(map(log_line, records)))

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        with names_in_errors(self.path), open(self.path, "ab", buffering=0) as file:
            size = file.tell()
            try:
                while left:
                    left = left[file.write(left) :]
            except BaseException:
                # The next line must not be glued to half of this one.
                file.truncate(size)
                raise
            if self._fsync:
                os.fsync(file.fileno())


def log_line(record: Mapping[str, Any]) -> bytes:
    """Returns an object as a line of a log, its checksum and line break at the end."""
    line = orjson.dumps(record)
    return line[:-1] + _SEAL % xxhash.xxh3_64_hexdigest(line).encode() + b"\n"


def read_log(path: Path, first_fields: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields every finished line of an `AppendLog`, which may be written meanwhile.

    Args:
        path: File to read.
        first_fields: Names of the fields that a line can begin with.

    Yields:
        Number of the line, from 1, and its object.

    Raises:
        FormatError: A line is not JSON, or the end is no beginning of a line.
        ChecksumError: A line has no checksum, or another than its own.
        OSError: The file cannot be read.
    """
    lines, _ = _split(path, read_file(path), first_fields)
    for number, line in enumerate(lines, 1):
        place = f"{path}: line {number}"
        content, seal = line[:-_SEAL_BYTES] + b"}", line[-_SEAL_BYTES:]
        if seal != _SEAL % xxhash.xxh3_64_hexdigest(content).encode():
            raise ChecksumError(place, "is damaged: it has no checksum, or another than its own")
        try:
            # What ends with a brace is an object.
            yield number, orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise FormatError(place, f"not JSON: {error}") from None


def _split(path: Path, data: bytes, first_fields: Sequence[str]) -> tuple[list[bytes], int]:
    """Returns the finished lines without their breaks, and how many bytes after them to cut off."""
    *lines, tail = data.split(b"\n")
    # A power cut can leave zeros where the file grew before its bytes were on disk.
    written = tail.rstrip(b"\0")
    heads = [b"{%b:" % orjson.dumps(name) for name in first_fields]
    if (end := _object_end(written)) is None:
        # No beginning of an object is an object: the line is unfinished, or not of this log.
        if any(written.startswith(head) or head.startswith(written) for head in heads):
            return lines, len(tail)
    elif end == len(written) and written.startswith(tuple(heads)):
        return [*lines, written], len(tail) - len(written)
    expected = " or ".join(head.decode() for head in heads)
    raise FormatError(
        f"{path}: line {len(lines) + 1}", f"must begin with {expected} and hold one object"
    )


def _object_end(line: bytes) -> int | None:
    """Returns how many bytes of a line its first JSON value takes, or None where it has no end."""
    try:
        # Latin-1 has a character for each byte, so that half of a UTF-8 character is no error.
        return json.JSONDecoder().raw_decode(line.decode("latin-1"))[1]
    except json.JSONDecodeError:
        return None
