"""Answers kept line by line, so that nothing is paid for twice.

One JSON object a line, only ever appended, each on disk before the next request of its kind is
sent. A line begins with the fields that identify what it answers; of several lines with the same
identity the last one holds. `packkit.base.append_log` says how an unfinished last line is mended.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from packkit.base.append_log import AppendLog, read_lines
from packkit.base.errors import FormatError, PackkitError

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
        path: File of answers; it and its folder are made where they are missing.
        identity: Names of the fields that identify what a line answers; every line begins with
            them.

    Attributes:
        path: File of answers.
        records: Last line of each identity, by the values of the identity.
        torn_bytes: Number of bytes of an unfinished last line that were cut off.

    Raises:
        LogInUseError: Another process has the file open.
        FormatError: The file holds something else than such lines.
    """

    def __init__(self, path: Path, identity: Sequence[str]) -> None:
        self.path, self._identity = path, tuple(identity)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            self._lock(path)
            # Read before it is mended: what is not ours stays as it is.
            self.records = _last_records(path, self._identity)
            self._log = AppendLog(path, self._identity[:1], fsync=True)
        except BaseException:
            self.close()
            raise
        self.torn_bytes = self._log.torn_bytes

    def append(self, record: Mapping[str, Any]) -> None:
        """Adds a line, and returns once it is on disk.

        Args:
            record: Fields of the line, with every field of the identity among them.

        Raises:
            OSError: The line cannot be written.
        """
        identity = {name: record[name] for name in self._identity}
        line = {**identity, **record}
        self._log.append(line)
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

    def _lock(self, path: Path) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LogInUseError(path) from None


def read_answers(path: Path, identity: Sequence[str]) -> list[dict[str, Any]]:
    """Reads the last line of each identity, in the order in which the identities first came.

    It may be read while it is written: an unfinished last line is left out.

    Args:
        path: File of answers.
        identity: Names of the fields that identify what a line answers.

    Raises:
        FormatError: The file holds something else than such lines.
        OSError: The file cannot be read.
    """
    return list(_last_records(path, tuple(identity)).values())


def _last_records(path: Path, identity: tuple[str, ...]) -> dict[Identity, dict[str, Any]]:
    records = {}
    for number, record in read_lines(path, identity[:1]):
        try:
            records[tuple(record[name] for name in identity)] = record
        except (KeyError, TypeError):
            fields = ", ".join(identity)
            raise FormatError(f"{path}: line {number}", f"must hold {fields}") from None
    return records
