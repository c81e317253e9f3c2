"""Answers kept line by line, so that nothing is paid for twice.

One JSON object a line, only ever appended, each on disk before the next request of its kind is
sent. A line begins with the fields that identify what it answers; of several lines with the same
identity the last one holds. `packkit.base.append_log` says how an unfinished last line is mended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from packkit.base.append_log import AppendLog, read_log
from packkit.base.errors import FormatError
from packkit.base.lock import FileLock

Identity = tuple[Any, ...]


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
        LockedError: Another process has the file open.
        FormatError: The file holds something else than such lines.
    """

    def __init__(self, path: Path, identity: Sequence[str]) -> None:
        self.path, self._identity = path, tuple(identity)
        self._lock = FileLock(path, "its lines")
        try:
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
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


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
    for number, record in read_log(path, identity[:1]):
        try:
            records[tuple(record[name] for name in identity)] = record
        except (KeyError, TypeError):
            fields = ", ".join(identity)
            raise FormatError(f"{path}: line {number}", f"must hold {fields}") from None
    return records
