"""Answers kept line by line, so that nothing is paid for twice.

Each line is flushed to disk before the next request of its kind is sent. A line names what it
answers in its first fields; of several lines for the same thing the last one holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from packkit.base.append_log import AppendLog
from packkit.base.errors import FormatError
from packkit.base.lock import FileLock

Identity = tuple[Any, ...]


class AnswerLog:
    """A file of answers, open for more; at most one process has it open.

    Args:
        path: Path of the file; made where it is missing.
        identity: Fields that tell what a line answers. They stand first in every line.

    Attributes:
        path: Path of the file.
        records: The last line for each thing, by its identity.
        torn_bytes: Bytes of an unfinished last line that were cut off.

    Raises:
        LockedError: Another process has the file open.
        FormatError: The file holds something else than such lines.
    """

    def __init__(self, path: Path, identity: Sequence[str]) -> None:
        self.path, self._identity = path, tuple(identity)
        self._log = AppendLog(path, identity[:1], sync=True)
        self._lock = FileLock(path)
        try:
            self.records = _last_records(path, self._log.read(), self._identity)
            self.torn_bytes = self._log.mend()
        except BaseException:
            self._lock.release()
            raise

    def append(self, record: Mapping[str, Any]) -> None:
        """Adds a line, and returns once it is on disk.

        Args:
            record: Line to add; it holds every field of the identity.

        Raises:
            OSError: The line cannot be written.
        """
        identity = {name: record[name] for name in self._identity}
        line = {**identity, **record}
        self._log.append(line)
        self.records[tuple(identity.values())] = line

    def close(self) -> None:
        """Lets others write to the file."""
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
    """Reads the last line for each thing, in the order in which they first came.

    The file may be read while it is written: an unfinished last line is left out.

    Args:
        path: Path of the file.
        identity: Fields that tell what a line answers.

    Raises:
        FormatError: The file holds something else than such lines.
        OSError: The file cannot be read.
    """
    with open(path, "rb"):
        lines = AppendLog(path, identity[:1], sync=True).read()
    return list(_last_records(path, lines, tuple(identity)).values())


def _last_records(
    path: Path, lines: Iterable[dict[str, Any]], identity: tuple[str, ...]
) -> dict[Identity, dict[str, Any]]:
    records = {}
    for number, record in enumerate(lines, 1):
        try:
            records[tuple(record[name] for name in identity)] = record
        except (KeyError, TypeError):
            fields = ", ".join(identity)
            raise FormatError(f"{path}: line {number}", f"must hold {fields}") from None
    return records
