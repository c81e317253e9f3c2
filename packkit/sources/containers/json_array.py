"""JSON documents: one array of any size, an object of such arrays, or one object.

LLaVA's largest files are a single array of 20 GB. It is streamed: a compiled scan finds where each
element stands, and only that element is parsed. Memory is one block and one element; cutting the
array into spans costs a first scan of the file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from packkit.base.errors import RejectReason, SampleError
from packkit.sources.base import Record, Span
from packkit.sources.containers.json_lines import (
    BUFFER_BYTES,
    BYTE_ORDER_MARK,
    SPAN_BYTES,
    JsonLines,
)
from packkit_kernels.json_elements import ElementScanner


class JsonArray(JsonLines):
    """A file that is one JSON array of objects."""

    name: ClassVar[str] = "json-array"
    suffixes: ClassVar[tuple[str, ...]] = (".json",)
    _opening: ClassVar[bytes] = b"["
    """The brackets that are open around an element."""
    _kind: ClassVar[str] = "array"

    def split(self, path: Path) -> list[Span]:
        """Cuts the array at the first element that begins after every 64 MiB."""
        whole = Span(0, path.stat().st_size)
        starts = [0]
        with open(path, "rb") as file:
            scanner = ElementScanner(depth=len(self._opening))
            for block in _element_ranges(file.fileno(), whole, scanner):
                for start, _ in block:
                    if start - starts[-1] >= SPAN_BYTES:
                        starts.append(start)
        return [Span(*span) for span in zip(starts, [*starts[1:], whole.stop], strict=True)]

    def scan(self, path: Path, span: Span) -> Iterator[Record]:
        """Yields the elements of a span; a last record says what is wrong with the file's end."""
        # Every span but the first begins at an element, inside an array.
        opening = self._opening if span.start else b""
        scanner = ElementScanner(depth=len(self._opening), base=span.start - len(opening))
        scanner.feed(opening)
        with open(path, "rb") as file:
            descriptor = file.fileno()
            for block in _element_ranges(descriptor, span, scanner):
                for start, stop in block:
                    yield self._record(start, os.pread(descriptor, stop - start, start))
            is_last = span.stop == os.fstat(descriptor).st_size
        if is_last and scanner.nesting:
            yield cut_off(scanner, span.stop)
        elif scanner.rest is not None:
            detail = f"{span.stop - scanner.rest} bytes follow the end of the {self._kind}"
            error = SampleError(RejectReason.INVALID_JSON, detail)
            yield Record(scanner.rest, span.stop - scanner.rest, 0, error)


class JsonSplits(JsonArray):
    """A file that is one JSON object of arrays of objects, one array a split.

    An element is a record; the key that it stands under is no part of it. Values that are not
    arrays hold no records. A data set whose arrays stand under other keys has a subclass with its
    own `first_keys`.
    """

    name: ClassVar[str] = "json-splits"
    suffixes: ClassVar[tuple[str, ...]] = ()
    first_keys: ClassVar[tuple[str, ...]] = ("train", "val", "valid", "validation", "test")
    _opening: ClassVar[bytes] = b"{["
    _kind: ClassVar[str] = "object"


class JsonObject(JsonLines):
    """A file that is one JSON object: one record."""

    name: ClassVar[str] = "json-object"
    suffixes: ClassVar[tuple[str, ...]] = ()

    def split(self, path: Path) -> list[Span]:
        """Returns the whole file as one span."""
        return [Span(0, path.stat().st_size)]

    def scan(self, path: Path, span: Span) -> Iterator[Record]:
        """Yields the object."""
        yield self._record(*read_document(path))


def read_document(path: Path) -> tuple[int, bytes]:
    """Returns a whole file and where it begins, which is after a byte order mark."""
    data = path.read_bytes()
    start = len(BYTE_ORDER_MARK) if data.startswith(BYTE_ORDER_MARK) else 0
    return start, data[start:]


def cut_off(scanner: ElementScanner, stop: int) -> Record:
    """Returns the record that stands for what is missing at the end of a file."""
    start = scanner.open_element
    detail = f"cut off at byte {stop}"
    return Record(
        stop if start is None else start,
        0 if start is None else stop - start,
        0,
        SampleError(RejectReason.TRUNCATED_FILE, detail),
    )


def _element_ranges(
    descriptor: int, span: Span, scanner: ElementScanner
) -> Iterator[list[tuple[int, int]]]:
    """Yields start and stop of the elements of a span, block by block."""
    for offset in range(span.start, span.stop, BUFFER_BYTES):
        block = os.pread(descriptor, min(BUFFER_BYTES, span.stop - offset), offset)
        yield [(start, stop) for start, stop in scanner.feed(block).tolist()]
