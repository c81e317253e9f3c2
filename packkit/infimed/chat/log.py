"""Answers kept line by line, so that nothing is paid for twice.

One JSON object a line, only ever appended, each flushed to disk before the next request of its kind
is sent. A line names what it is of in its first fields; of several lines for the same thing the
last one holds. A process that is killed can leave its last line unfinished: that is cut off when
the file is opened again. Anything else that is not such a line is damage, and an error.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from packkit.base.errors import FormatError, PackkitError
from packkit.base.files import sync_folder

Identity = tuple[Any, ...]


class LogInUseError(PackkitError, BlockingIOError):
    """Another process writes to this file of answers.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: another process is writing answers here")
        self.path = str(path)


class AnswerLog:
    """A file of answers, open for more; at most one process has it open.

    Args:
        path: The file; made where it is missing.
        identity: Fields that tell what a line is of. They stand first in every line.

    Raises:
        LogInUseError: Another process has it open.
        FormatError: It holds something else than such lines.
    """

    def __init__(self, path: Path, identity: Sequence[str]) -> None:
        self.path, self._identity = path, tuple(identity)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            self._lock()
            sync_folder(path.parent)
            data = path.read_bytes()
            self.records = _last_records(path, data, self._identity)
            """The last line of each thing, by its identity."""
            self.torn_bytes = self._mend_end(data)
            """Bytes of an unfinished last line that were cut off."""
        except BaseException:
            os.close(self._file)
            raise

    def append(self, record: Mapping[str, Any]) -> None:
        """Adds a line, and returns once it is on disk.

        Args:
            record: The line; it holds every field of the identity.

        Raises:
            OSError: It cannot be written.
        """
        identity = {name: record[name] for name in self._identity}
        line = {**identity, **record}
        data = memoryview(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        while data:
            data = data[os.write(self._file, data) :]
        os.fsync(self._file)
        self.records[tuple(identity.values())] = line

    def close(self) -> None:
        """Closes the file, and lets others write to it."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LogInUseError(self.path) from None

    def _mend_end(self, data: bytes) -> int:
        """Ends the last line, or cuts it off where it is unfinished; returns the bytes cut off."""
        whole, tail = _split_end(data)
        if not tail:
            return 0
        if _is_whole(tail):
            # All that its writer could not write any more is the line break: it is paid for.
            os.write(self._file, b"\n")
        else:
            os.ftruncate(self._file, len(whole))
        os.fsync(self._file)
        return 0 if _is_whole(tail) else len(tail)


def read_answers(path: Path, identity: Sequence[str]) -> list[dict[str, Any]]:
    """Reads the last line of each thing, in the order in which they first came.

    It may be read while it is written: an unfinished last line is left out.

    Args:
        path: The file.
        identity: Fields that tell what a line is of.

    Raises:
        FormatError: It holds something else than such lines.
        OSError: It cannot be read.
    """
    return list(_last_records(path, path.read_bytes(), tuple(identity)).values())


def _last_records(
    path: Path, data: bytes, identity: tuple[str, ...]
) -> dict[Identity, dict[str, Any]]:
    records = {}
    for number, record in _records(path, data, identity):
        try:
            records[tuple(record[name] for name in identity)] = record
        except (KeyError, TypeError):
            fields = ", ".join(identity)
            raise FormatError(f"{path}: line {number}", f"must hold {fields}") from None
    return records


def _records(
    path: Path, data: bytes, identity: tuple[str, ...]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields every finished line with its number, from 1."""
    whole, tail = _split_end(data)
    lines = whole.split(b"\n")[:-1]
    if _is_whole(tail):
        lines.append(tail)
    elif not _can_be_torn(tail, identity):
        # Whatever this file is, it must not be cut.
        raise FormatError(f"{path}: line {len(lines) + 1}", "is no line of answers")
    for number, line in enumerate(lines, 1):
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise FormatError(f"{path}: line {number}", f"not JSON: {error}") from None
        if not isinstance(record, dict):
            raise FormatError(f"{path}: line {number}", "must be a JSON object")
        yield number, record


def _split_end(data: bytes) -> tuple[bytes, bytes]:
    """Splits a file into its finished lines and what comes after the last line break."""
    end = data.rfind(b"\n") + 1
    return data[:end], data[end:]


def _is_whole(tail: bytes) -> bool:
    """Whether a last line misses nothing but its line break: no part of an object is an object."""
    try:
        return isinstance(orjson.loads(tail), dict)
    except orjson.JSONDecodeError:
        return False


def _can_be_torn(tail: bytes, identity: tuple[str, ...]) -> bool:
    """Whether a last line can be the beginning of one of ours, or zeros left by a power cut."""
    head = b'{"%b":' % identity[0].encode()
    length = min(len(head), len(tail))
    return tail[:length] == head[:length] or not tail.strip(b"\0")
