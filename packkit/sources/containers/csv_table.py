"""CSV: rows cannot be read by offset, since a field may hold line breaks, so they are staged once.

The copy has one line of JSON a row: an object of the columns, all of them text, or, for a row that
cannot be read, an array of the reason and the detail of its reject. An unnamed first column, which
is the index that pandas adds, is left out.
"""

from __future__ import annotations

import csv
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import orjson

from packkit.base.errors import FormatError, RejectReason, SampleError
from packkit.sources.base import Fields
from packkit.sources.containers.json_lines import JsonLines

_FIELD_CHARACTERS = 1 << 30
_READING = threading.Lock()


class CsvTable(JsonLines):
    """A CSV file with a header, UTF-8; a row is a record, blank lines are skipped."""

    name: ClassVar[str] = "csv"
    suffixes: ClassVar[tuple[str, ...]] = (".csv",)
    staged: ClassVar[bool] = True

    def stage(self, path: Path, copy: Path) -> None:
        """Writes every row as a JSON line.

        Raises:
            FormatError: There is no header, it is not UTF-8, or a name is missing or repeated.
        """
        with open(copy, "wb") as lines:
            for row in _rows(path):
                lines.write(orjson.dumps(row))
                lines.write(b"\n")

    def load(self, data: bytes) -> Fields:
        """Parses one line of the copy.

        Raises:
            SampleError: The line stands for a row that could not be read.
        """
        row = orjson.loads(data)
        if isinstance(row, list):
            reason, detail = row
            raise SampleError(RejectReason(reason), detail)
        fields: Fields = row
        return fields


def _rows(path: Path) -> Iterator[dict[str, str] | list[str]]:
    """Yields the columns of every row, or reason and detail of its reject."""
    # Bytes that are not UTF-8 cost their row, not the file.
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, strict=True)
        with _large_fields():
            columns = _header(reader, path)
            while True:
                first_line = reader.line_num + 1
                try:
                    values = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield [RejectReason.INVALID_SAMPLE, f"line {first_line}: {error}"]
                    continue
                if values:
                    yield _row(columns, values, first_line)


@contextmanager
def _large_fields() -> Iterator[None]:
    """Lets fields be longer than 131,072 characters, a limit that the whole process shares."""
    with _READING:
        limit = csv.field_size_limit(_FIELD_CHARACTERS)
        try:
            yield
        finally:
            csv.field_size_limit(limit)


def _header(reader: Iterator[list[str]], path: Path) -> list[str]:
    """Returns the names of the columns.

    Raises:
        FormatError: There is no header, it is not UTF-8, or a name is missing or repeated.
    """
    try:
        columns = next(filter(None, reader), [])
    except csv.Error as error:
        raise FormatError(path.name, f"the header cannot be read ({error})") from None
    if not columns:
        raise FormatError(path.name, "has no header")
    if not _is_text(columns):
        raise FormatError(path.name, "the header is not UTF-8")
    for number, name in enumerate(columns, 1):
        if not name and number > 1:
            raise FormatError(path.name, f"column {number} has no name")
    if repeated := [name for name, count in Counter(columns).items() if count > 1]:
        raise FormatError(path.name, f"column {repeated[0]!r} stands there twice")
    return columns


def _row(columns: Sequence[str], values: Sequence[str], line: int) -> dict[str, str] | list[str]:
    if len(values) != len(columns):
        detail = f"line {line}: {len(values)} fields, but the header has {len(columns)}"
        return [RejectReason.INVALID_SAMPLE, detail]
    if not _is_text(values):
        return [RejectReason.INVALID_UTF8, f"line {line}: not UTF-8"]
    return {name: value for name, value in zip(columns, values, strict=True) if name}


def _is_text(values: Sequence[str]) -> bool:
    try:
        "".join(values).encode()
    except UnicodeEncodeError:
        return False
    return True
