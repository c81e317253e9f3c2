"""JSON lines: one record a line, UTF-8."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import orjson
import xxhash

from packkit.base.errors import RejectReason, SampleError, invalid_sample
from packkit.sources.base import Fields, Record, Span

SPAN_BYTES = 64 << 20
BUFFER_BYTES = 1 << 20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def parse_object(data: bytes) -> Fields:
    """Parses a JSON object.

    Raises:
        SampleError: The bytes are not UTF-8, not JSON, or not an object.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        try:
            data.decode()
        except UnicodeDecodeError as not_text:
            raise SampleError(RejectReason.INVALID_UTF8, str(not_text)) from None
        raise SampleError(RejectReason.INVALID_JSON, str(error)) from None
    if not isinstance(value, dict):
        raise invalid_sample(f"a record must be an object, got {type(value).__name__}")
    return value


class JsonLines:
    """A file with one JSON object a line; blank lines are skipped."""

    name: ClassVar[str] = "jsonl"
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson")
    first_keys: ClassVar[tuple[str, ...]] = ()
    in_folders: ClassVar[bool] = True
    staged: ClassVar[bool] = False

    def split(self, path: Path) -> list[Span]:
        """Cuts the file at the first line end after every 64 MiB."""
        size = path.stat().st_size
        starts = [0]
        with open(path, "rb") as file:
            for target in range(SPAN_BYTES, size, SPAN_BYTES):
                # A line may be longer than a span.
                if target > starts[-1]:
                    file.seek(target - 1)
                    file.readline()
                    starts.append(file.tell())
        stops = [*starts[1:], size]
        return [Span(*span) for span in zip(starts, stops, strict=True) if span[0] < span[1]]

    def scan(self, path: Path, span: Span) -> Iterator[Record]:
        """Yields the lines of a span."""
        for offset, line in read_lines(path, span):
            yield self._record(offset, line)

    def load(self, data: bytes) -> Fields:
        """Parses one line.

        Raises:
            SampleError: The line is not a JSON object.
        """
        return parse_object(data)

    def _record(self, offset: int, line: bytes) -> Record:
        checksum = xxhash.xxh3_64_intdigest(line)
        try:
            return Record(offset, len(line), checksum, self.load(line))
        except SampleError as error:
            return Record(offset, len(line), checksum, error)


def read_lines(path: Path, span: Span) -> Iterator[tuple[int, bytes]]:
    """Yields offset and bytes of every line of a span that is not blank."""
    with open(path, "rb", buffering=BUFFER_BYTES) as file:
        file.seek(span.start)
        # Windows editors put a byte order mark first, which is not JSON.
        if span.start == 0 and file.read(len(BYTE_ORDER_MARK)) != BYTE_ORDER_MARK:
            file.seek(0)
        offset = file.tell()
        while offset < span.stop:
            line = file.readline()
            if not line:
                break
            if not line.isspace():
                yield offset, line
            offset += len(line)
