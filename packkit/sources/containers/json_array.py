"""JSON documents: one array of any size, an object of such arrays, or one object.

LLaVA's largest files are a single array of 20 GB. It is streamed: a compiled scan finds where each
element stands, and only that element is parsed. Memory is one block and one element; cutting the
array into spans costs a first reading of the file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from packkit.base import reads
from packkit.base.errors import SampleError
from packkit.base.files import read_file
from packkit.sources.base import Record, Span, too_large
from packkit.sources.containers.json_elements import ElementReader
from packkit.sources.containers.json_lines import (
    BUFFER_BYTES,
    BYTE_ORDER_MARK,
    SPAN_BYTES,
    JsonLines,
    Line,
)


class JsonArray(JsonLines):
    """A file that is one JSON array of objects."""

    name: ClassVar[str] = "json-array"
    suffixes: ClassVar[tuple[str, ...]] = (".json",)
    _opening: ClassVar[bytes] = b"["
    """The brackets that are open around an element."""

    def split(self, path: Path) -> list[Span]:
        """Cuts the array at the first element that begins after every 64 MiB."""
        size = path.stat().st_size
        starts = [0]
        for record in self.scan(path, Span(0, size)):
            if record.offset - starts[-1] >= SPAN_BYTES and _is_element(record):
                starts.append(record.offset)
        return [Span(*span) for span in zip(starts, [*starts[1:], size], strict=True)]

    def scan(self, path: Path, span: Span) -> Iterator[Record]:
        """Yields the elements of a span; a last record says what is wrong with the file's end."""
        with open(path, "rb") as file:
            reader = ElementReader(
                file.fileno(),
                self._opening,
                span,
                is_last=span.stop == os.fstat(file.fileno()).st_size,
                record=self._record,
                block_bytes=BUFFER_BYTES,
            )
            yield from reader.records()


class JsonSplits(JsonArray):
    """A file that is one JSON object of arrays of objects, one array a split.

    An element is a record; the key that it stands under is no part of it. Values that are not
    arrays hold no records. A data set whose arrays stand under other keys has a subclass with its
    own `first_keys`.
    """

    name: ClassVar[str] = "json-splits"
    suffixes: ClassVar[tuple[str, ...]] = ()
    first_keys: ClassVar[tuple[str, ...]] = (
        "train",
        "val",
        "valid",
        "validation",
        "test",
        "samples",
        "records",
        "rows",
        "examples",
        "annotations",
    )
    _opening: ClassVar[bytes] = b"{["


class JsonObject(JsonLines):
    """A file that is one JSON object: one record."""

    name: ClassVar[str] = "json-object"
    suffixes: ClassVar[tuple[str, ...]] = ()

    def split(self, path: Path) -> list[Span]:
        """Returns the whole file as one span."""
        return [Span(0, path.stat().st_size)]

    def scan(self, path: Path, span: Span) -> Iterator[Record]:
        """Yields the object."""
        offset, size, data = read_document(path)
        is_held = len(data) == size
        yield self._record(offset, data) if is_held else Record(offset, size, 0, too_large(size))


def read_document(path: Path) -> Line:
    """Returns a whole file without a byte order mark, and where it begins."""
    size = path.stat().st_size
    if size > reads.MAX_RECORD_BYTES:
        return Line(0, size, b"")
    data = read_file(path)
    start = len(BYTE_ORDER_MARK) if data.startswith(BYTE_ORDER_MARK) else 0
    return Line(start, len(data) - start, data[start:])


def _is_element(record: Record) -> bool:
    return not isinstance(record.fields, SampleError)
