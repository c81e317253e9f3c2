"""JSON lines that are only ever appended, and whose end is mended after a kill.

A process that is killed can leave its last line unfinished. A whole object that misses only its
line break is kept, and the beginning of a line, or the zeros that a power cut leaves, is cut off.
Anything else is damage, or somebody else's file: an error, and nothing is cut.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from packkit.base.errors import FormatError
from packkit.base.files import sync_folder


class AppendLog:
    """A file of JSON objects, one a line; the file is opened anew for every append.

    Args:
        path: Path of the file; made, with its folder, by the first append where it is missing.
        first_keys: Keys of which one stands first in every line; they tell a torn line of this log
            from another file.
        sync: Whether an append returns only once its lines are on disk.
    """

    def __init__(self, path: Path, first_keys: Sequence[str], *, sync: bool) -> None:
        self.path = path
        self._heads = [b'{"%b":' % key.encode() for key in first_keys]
        self._sync = sync
        self._is_mended = False

    def read(self) -> list[dict[str, Any]]:
        """Returns every finished line, in order; none where there is no file.

        The file may be read while it is written: an unfinished last line is left out.

        Raises:
            FormatError: A line is no object; its number is named.
        """
        whole, tail = self._split()
        lines = whole.split(b"\n")[:-1]
        return [self._parsed(*line) for line in enumerate(lines + [tail] * _is_object(tail), 1)]

    def mend(self) -> int:
        """Ends the last line, or cuts it off where it is unfinished; returns the bytes cut off.

        Raises:
            FormatError: The end of the file is not of this log.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        whole, tail = self._split()
        is_object = _is_object(tail)
        with open(self.path, "ab") as file:
            if is_object:
                # All that its writer could not write any more is the line break.
                file.write(b"\n")
            elif tail:
                file.truncate(len(whole))
            self._flush(file.fileno())
        if self._sync:
            sync_folder(self.path.parent)
        self._is_mended = True
        return 0 if is_object else len(tail)

    def append(self, *records: Mapping[str, Any]) -> None:
        """Adds lines, once the end of the file is mended.

        Args:
            records: Objects, one of the log's first keys first in each.

        Raises:
            FormatError: The end of the file is not of this log.
            OSError: The lines cannot be written; the next append mends what was.
        """
        if not self._is_mended:
            self.mend()
        # What fails here, on a full disk perhaps, may leave a torn line.
        self._is_mended = False
        with open(self.path, "ab") as file:
            file.write(b"".join(orjson.dumps(record) + b"\n" for record in records))
            file.flush()
            self._flush(file.fileno())
        self._is_mended = True

    def _flush(self, descriptor: int) -> None:
        if self._sync:
            os.fsync(descriptor)

    def _split(self) -> tuple[bytes, bytes]:
        """Returns the finished lines and what comes after the last line break, if it is ours."""
        data = self.path.read_bytes() if self.path.exists() else b""
        end = data.rfind(b"\n") + 1
        tail = data[end:]
        begins_ours = any(tail.startswith(head[: len(tail)]) for head in self._heads)
        if not begins_ours and not _is_object(tail) and tail.strip(b"\0"):
            number = data.count(b"\n") + 1
            raise FormatError(f"{self.path}: line {number}", "is no line of this log")
        return data[:end], tail

    def _parsed(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise FormatError(f"{self.path}: line {number}", f"not JSON: {error}") from None
        if not isinstance(record, dict):
            raise FormatError(f"{self.path}: line {number}", "must be a JSON object")
        return record


def _is_object(tail: bytes) -> bool:
    """Whether a last line misses nothing but its line break: no part of an object is an object."""
    try:
        return isinstance(orjson.loads(tail), dict)
    except orjson.JSONDecodeError:
        return False
