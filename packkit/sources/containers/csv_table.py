"""CSV: rows cannot be read by offset, since a field may hold line breaks, so they are staged once.

The copy has one line of JSON a row: an object of the columns, all of them text, or, for a row that
cannot be read, an array of what its reject says. An unnamed first column, which is the index that
pandas adds, is left out.

A quote that is missing swallows the rows after it, up to the next quote or to the end of the file.
So a row that cannot be read is more than one where it goes on to the end of the file, or where a
line in it would be a row by itself.
"""

from __future__ import annotations

import csv
import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, ClassVar

import orjson

from packkit.base import reads
from packkit.base.errors import FormatError, RejectReason
from packkit.sources.containers.json_lines import JsonLines, StagedRows

_READING = threading.Lock()
_QUOTES = re.compile('"+')
_HEADER_CHARACTERS = 1 << 20
# Blank lines that may stand before a header.
_BLANK_LINES = 100


class CsvTable(StagedRows, JsonLines):
    """A CSV file with a header, UTF-8; a row is a record, blank lines are skipped.

    Columns are parted by commas; where the header has none, by the semicolon, tab or bar in it.
    """

    name: ClassVar[str] = "csv"
    suffixes: ClassVar[tuple[str, ...]] = (".csv",)
    _delimiter: ClassVar[str | None] = None

    def stage(self, path: Path, copy: Path) -> None:
        """Writes every row as a JSON line.

        Raises:
            FormatError: There is no header, it is not UTF-8, a name is missing or repeated, or what
                parts the columns cannot be told.
        """
        delimiter = self._delimiter or _told_delimiter(path)
        with open(copy, "wb") as lines:
            for row in _rows(path, delimiter):
                lines.write(orjson.dumps(row))
                lines.write(b"\n")


class TsvTable(CsvTable):
    """A table whose columns are parted by tabs."""

    name: ClassVar[str] = "tsv"
    suffixes: ClassVar[tuple[str, ...]] = (".tsv",)
    _delimiter: ClassVar[str | None] = "\t"


def _told_delimiter(path: Path) -> str:
    """Returns what parts the columns of a header: a comma, or the one of the others that it has."""
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        lines = (file.readline(_HEADER_CHARACTERS) for _ in range(_BLANK_LINES))
        header = next((line for line in lines if line.strip()), "")
    if "," in header:
        return ","
    others = [delimiter for delimiter in ";\t|" if delimiter in header]
    if len(others) > 1:
        named = " and ".join(map(repr, others))
        raise FormatError(path.name, f"the header has {named}, and no comma: what parts it?")
    return others[0] if others else ","


class _TooLargeError(Exception):
    """A row that is too large to be held."""


class _RowLines:
    """The lines of a file, those of the row at hand kept."""

    def __init__(self, file: IO[str], delimiter: str) -> None:
        self._file = file
        self.delimiter = delimiter
        self.row: list[str] = []
        self.row_bytes = 0
        self.is_over = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline(reads.MAX_RECORD_BYTES)
        self.row_bytes += len(line.encode(errors="surrogateescape"))
        if self.row_bytes >= reads.MAX_RECORD_BYTES:
            raise _TooLargeError
        self.row.append(line)
        if not line:
            self.is_over = True
            raise StopIteration
        return line

    def begin_row(self) -> None:
        self.row, self.row_bytes = [], 0


def _rows(path: Path, delimiter: str) -> Iterator[dict[str, str] | list[Any]]:
    """Yields the columns of every row, or what its reject says."""
    # Bytes that are not UTF-8 cost their row, not the file.
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        lines = _RowLines(file, delimiter)
        reader = csv.reader(lines, strict=True, delimiter=delimiter)
        bytes_read = 0
        with _large_fields():
            columns = _header(reader, path)
            while True:
                bytes_read += lines.row_bytes
                lines.begin_row()
                first_line = reader.line_num + 1
                try:
                    values = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield _damage(lines, columns, first_line, str(error))
                    continue
                except _TooLargeError:
                    unread = path.stat().st_size - bytes_read
                    detail = f"line {first_line}: a row of more than {reads.MAX_RECORD_BYTES} bytes"
                    yield [RejectReason.TRUNCATED_FILE, detail, unread]
                    return
                if values:
                    yield _row(columns, values, lines, first_line)


@contextmanager
def _large_fields() -> Iterator[None]:
    """Lets fields be longer than 131,072 characters, a limit that the whole process shares."""
    with _READING:
        limit = csv.field_size_limit(reads.MAX_RECORD_BYTES)
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


def _row(
    columns: Sequence[str], values: Sequence[str], lines: _RowLines, line: int
) -> dict[str, str] | list[Any]:
    if len(values) != len(columns):
        detail = f"{len(values)} fields, but the header has {len(columns)}"
        if len(values) < len(columns) and not lines.row[-1].endswith(("\n", "\r")):
            return _unread(lines, line, f"{detail}, at the end of the file")
        return _damage(lines, columns, line, detail)
    if not _is_text(values):
        return [RejectReason.INVALID_UTF8, f"line {line}: not UTF-8"]
    return {name: value for name, value in zip(columns, values, strict=True) if name}


def _damage(lines: _RowLines, columns: Sequence[str], line: int, detail: str) -> list[Any]:
    """Returns what is said of a row that cannot be read, or of several that a quote swallowed."""
    if lines.is_over:
        return _unread(lines, line, f"a quote in line {_open_line(lines.row, line)} is not closed")
    if any(_looks_like_a_row(text, columns, lines.delimiter) for text in lines.row[1:]):
        last = line + len(lines.row) - 1
        return _unread(lines, line, f"{detail}, and up to line {last} there may be other rows")
    return [RejectReason.INVALID_SAMPLE, f"line {line}: {detail}"]


def _looks_like_a_row(text: str, columns: Sequence[str], delimiter: str) -> bool:
    fields = next(csv.reader([text], delimiter=delimiter), [])
    return text.count('"') % 2 == 0 and len(fields) == len(columns)


def _unread(lines: _RowLines, line: int, detail: str) -> list[Any]:
    return [RejectReason.TRUNCATED_FILE, f"line {line}: {detail}", lines.row_bytes]


def _open_line(row: Sequence[str], first_line: int) -> int:
    """Returns the number of the line in which the field begins that is never closed."""
    line, is_open = first_line, False
    for number, text in enumerate(row, first_line):
        for quotes in _QUOTES.findall(text):
            # An even number of them stands for half as many in a text.
            is_open ^= len(quotes) % 2 == 1
            line = number if is_open and len(quotes) % 2 else line
    return line


def _is_text(values: Sequence[str]) -> bool:
    try:
        "".join(values).encode()
    except UnicodeEncodeError:
        return False
    return True
