"""JSON lines: one record a line, UTF-8."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, ClassVar, NamedTuple

import orjson
import xxhash

from packkit.base import reads
from packkit.base.errors import RejectReason, SampleError, UnreadError, invalid_sample
from packkit.sources.base import Fields, Record, Span, too_large
from packkit_kernels.json_elements import ElementScanner

SPAN_BYTES = 64 << 20
BUFFER_BYTES = 1 << 20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# What a file system that lost the bytes of a file gives in their place.
_HOLE = bytes(512)
# Python writes them, and JSON has none.
_NOT_A_NUMBER = re.compile(rb"\b(?:NaN|Infinity)\b")
_INT64_BOUND = 1 << 63


class Line(NamedTuple):
    """One line of a file.

    Attributes:
        offset: First byte of the line.
        size: Number of its bytes, its line break among them.
        data: The bytes themselves; nothing of a line of more than `MAX_RECORD_BYTES`.
    """

    offset: int
    size: int
    data: bytes


def parse_object(data: bytes) -> Fields:
    """Parses a JSON object.

    Raises:
        SampleError: The bytes are not UTF-8, not JSON, or not an object.
    """
    value = parse_value(data)
    if not isinstance(value, dict):
        raise invalid_sample(f"a record must be an object, got {type(value).__name__}")
    return value


def parse_value(data: bytes) -> Any:  # noqa: ANN401
    """Parses JSON of any kind; an integer that no 64 bits hold, such as a long id, is its digits.

    Raises:
        SampleError: The bytes are not UTF-8, or not JSON.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if (_NOT_A_NUMBER.search(data)) and (parsed := _without_constants(data)) is not None:
            return parsed
        try:
            data.decode()
        except UnicodeDecodeError as not_text:
            raise SampleError(RejectReason.INVALID_UTF8, str(not_text)) from None
        raise SampleError(RejectReason.INVALID_JSON, str(error)) from None
    return json.loads(data, parse_int=_whole) if _has_large_float(value) else value


def _without_constants(data: bytes) -> Any:  # noqa: ANN401
    """Parses JSON in which Python wrote NaN or Infinity, as null; None where it is no JSON."""
    try:
        value = json.loads(data, parse_constant=lambda _: None, parse_int=_whole)
        # By the strict rules for all the rest.
        return orjson.loads(orjson.dumps(value))
    except (ValueError, TypeError, RecursionError):
        return None


def _has_large_float(value: object) -> bool:
    """Whether there is a float that orjson may have made of an integer of more than 64 bits."""
    values: list[Any] = [value]
    while values:
        inner: list[Any] = []
        # Exact types, which are all that a parser makes: every value of every record comes here.
        for item in values:
            kind = type(item)
            if kind is dict:
                inner += item.values()
            elif kind is list:
                inner += item
            elif kind is float and abs(item) >= _INT64_BOUND:
                return True
        values = inner
    return False


def _whole(digits: str) -> int | str:
    # Python refuses to read numbers of thousands of digits.
    if len(digits) > len(str(-_INT64_BOUND)):
        return digits
    number = int(digits)
    return number if -_INT64_BOUND <= number < 2 * _INT64_BOUND else digits


class JsonLines:
    """A file with one JSON object a line; blank lines are skipped."""

    name: ClassVar[str] = "jsonl"
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson")
    first_keys: ClassVar[tuple[str, ...]] = ()
    in_folders: ClassVar[bool] = True
    staged: ClassVar[bool] = False
    layouts: ClassVar[tuple[str, ...]] = ()

    def split(self, path: Path) -> list[Span]:
        """Cuts the file at the first line end after every 64 MiB."""
        size = path.stat().st_size
        starts = [0]
        with open(path, "rb") as file:
            for target in range(SPAN_BYTES, size, SPAN_BYTES):
                # A line may be longer than a span.
                if target > starts[-1]:
                    file.seek(target - 1)
                    _skip_line(file)
                    starts.append(file.tell())
        stops = [*starts[1:], size]
        return [Span(*span) for span in zip(starts, stops, strict=True) if span[0] < span[1]]

    def scan(self, path: Path, span: Span) -> Iterator[Record]:
        """Yields the lines of a span."""
        for line in read_lines(path, span):
            yield self._line_record(line)

    def load(self, data: bytes) -> Fields:
        """Parses one line.

        Raises:
            SampleError: The line is not a JSON object.
        """
        return parse_object(data)

    def is_cut(self, line: bytes) -> bool:
        """Whether a last line without a line break, which is no record, begins one."""
        scanner = ElementScanner(depth=1)
        scanner.feed(line)
        return scanner.nesting > 0

    def _line_record(self, line: Line) -> Record:
        if len(line.data) < line.size:
            return Record(line.offset, line.size, 0, too_large(line.size))
        record = self._record(line.offset, line.data)
        if not isinstance(record.fields, SampleError) or isinstance(record.fields, UnreadError):
            return record
        if _HOLE in line.data:
            detail = f"a hole of zeros in the line at byte {line.offset}"
        elif not line.data.endswith(b"\n") and self.is_cut(line.data):
            detail = f"cut off at byte {line.offset + line.size}"
        else:
            return record
        return record._replace(fields=UnreadError(line.size, detail))

    def _record(self, offset: int, data: bytes) -> Record:
        checksum = xxhash.xxh3_64_intdigest(data)
        try:
            return Record(offset, len(data), checksum, self.load(data))
        except SampleError as error:
            if not isinstance(error, UnreadError) and _holds_several(data):
                error = UnreadError(len(data), f"several objects in one record at byte {offset}")
            return Record(offset, len(data), checksum, error)


class StagedRows:
    """The copy of a table as JSON lines: an object a row, or an array of what its reject says.

    The array holds reason and detail, and the bytes unread where they may be several rows.
    """

    staged: ClassVar[bool] = True
    layouts: ClassVar[tuple[str, ...]] = ()

    def load(self, data: bytes) -> Fields:
        """Parses one line of the copy.

        Raises:
            SampleError: The line stands for a row that could not be read.
        """
        match orjson.loads(data):
            case [_, detail, int(unread)]:
                raise UnreadError(unread, detail)
            case [reason, detail]:
                raise SampleError(RejectReason(reason), detail)
            case fields:
                row: Fields = fields
                return row


def _holds_several(data: bytes) -> bool:
    """Whether what should be one object is several: in an array, or with no border between them."""
    try:
        # Latin-1 has a character for each byte, so that a broken one is no error.
        value, end = json.JSONDecoder().raw_decode(data.decode("latin-1").lstrip())
    except (ValueError, RecursionError):
        return False
    if isinstance(value, list):
        return sum(isinstance(item, dict) for item in value) > 1
    rest = data.lstrip()[end:].lstrip(b" \t\r\n,;")
    return isinstance(value, dict) and rest.startswith(b"{")


def read_lines(path: Path, span: Span) -> Iterator[Line]:
    """Yields every line of a span that is not blank."""
    with open(path, "rb", buffering=BUFFER_BYTES) as file:
        file.seek(span.start)
        # Windows editors put a byte order mark first, which is not JSON.
        if span.start == 0 and file.read(len(BYTE_ORDER_MARK)) != BYTE_ORDER_MARK:
            file.seek(0)
        offset = file.tell()
        while offset < span.stop:
            data = file.readline(reads.MAX_RECORD_BYTES + 1)
            size = len(data)
            if not data:
                break
            if size > reads.MAX_RECORD_BYTES:
                is_ended, data = data.endswith(b"\n"), b""
                size += 0 if is_ended else _skip_line(file)
            if not data.isspace():
                yield Line(offset, size, data)
            offset += size


def _skip_line(file: IO[bytes]) -> int:
    """Reads on to the end of a line; returns the number of its bytes."""
    size = 0
    while block := file.readline(BUFFER_BYTES):
        size += len(block)
        if block.endswith(b"\n"):
            break
    return size
