"""The elements of JSON arrays in a file, and where they go on after a damaged one.

A missing quote turns text into brackets and brackets into text, up to the next quote that is
missing or to the end of the file. What brings the reader back is that an unescaped quote never
stands inside a string: where ``}, {"`` stands in what the scan takes for text, the scan is wrong.
From such a border the elements are read anew. It is inside the damaged element if a bracket closes
the array and the file goes on: then the next border is tried. Else the element that begins there
is the first whole one, and only what stands before it is lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from typing import NamedTuple

from packkit.base import reads
from packkit.base.errors import RejectReason, SampleError, UnreadError
from packkit.base.reads import read_range
from packkit.sources.base import Record, Span, too_large
from packkit_kernels.json_elements import ElementScanner

_BORDER = re.compile(rb'\}\s*,\s*(?=\{\s*")')

# A border may lie across two blocks.
_OVERLAP_BYTES = 1 << 10
_FIRST_BLOCK_BYTES = 1 << 12

# A file that is damaged everywhere is not tried at every border, which would take for ever.
_MOST_TRIALS = 64

_NOT_JSON = (RejectReason.INVALID_JSON, RejectReason.INVALID_UTF8)


class _Trial(NamedTuple):
    """What reading from a border came to.

    Attributes:
        stop: Where reading stopped.
        leads_on: Whether whole elements stand there, and not those of an array further inside.
        is_whole: Whether everything up to the end of the span is elements.
    """

    stop: int
    leads_on: bool
    is_whole: bool


_Steps = Generator[Record, None, int | None]
"""Yields elements up to damage; returns where they go on, None where the span is over."""


class ElementReader:
    """Reads the elements of a span of a file.

    Args:
        descriptor: The open file.
        opening: The brackets that are open around an element.
        span: Byte range that begins at an element, or with the file.
        is_last: Whether the span ends with the file.
        record: Makes a record from an offset and the bytes there.
        block_bytes: Bytes that are scanned at once.
    """

    def __init__(
        self,
        descriptor: int,
        opening: bytes,
        span: Span,
        *,
        is_last: bool,
        record: Callable[[int, bytes], Record],
        block_bytes: int,
    ) -> None:
        self._descriptor = descriptor
        self._opening = opening
        self._span = span
        self._is_last = is_last
        self._record = record
        self._block_bytes = block_bytes

    def records(self) -> Iterator[Record]:
        """Yields every element; what is damaged, and what is wrong with the end, as an error."""
        position: int | None = self._span.start
        while position is not None:
            position = yield from self._read_on(position)

    def _read_on(self, position: int) -> _Steps:
        scanner = self._scanner(position)
        for start, stop in self._ranges(scanner, position, self._span.stop):
            record = self._element(start, stop)
            border = self._border(start, stop) if _is_broken(record) else None
            if border is not None:
                yield self._damage(start, border)
                return border
            yield record
        if scanner.rest is not None:
            return (yield from self._after_end(scanner.rest))
        if self._is_over(scanner):
            return None
        return (yield from self._after_open(scanner.open_element))

    def _after_end(self, rest: int) -> _Steps:
        """Goes on after a bracket too many; what else follows the end is told, and not read."""
        before = max(self._span.start, rest - _OVERLAP_BYTES)
        trials = self._trials(before, self._span.stop)
        border = next((b for b, trial in trials if b > rest and trial.is_whole), None)
        if border is None and not self._is_last:
            border = self._span.stop
        # Another array that was joined to this one begins with a bracket of its own.
        if border is None or read_range(self._descriptor, rest, 1) == b"[":
            size = self._span.stop - rest
            detail = f"{size} bytes follow the end of the text, at byte {rest}"
            yield Record(rest, size, 0, UnreadError(size, detail))
            return None
        yield self._damage(rest, border)
        return border

    def _after_open(self, start: int | None) -> _Steps:
        """Goes on after an element that is not closed, or tells that the file is cut off."""
        end = self._span.stop
        if start is None:
            yield Record(end, 0, 0, UnreadError(0, f"cut off at byte {end}"))
            return None
        border = self._border(start, end)
        if border is None and not self._is_last:
            # The next span begins with a whole element.
            yield self._damage(start, end)
            return None
        if border is None:
            detail = f"cut off at byte {end}, or the element at byte {start} is not closed"
            yield Record(start, end - start, 0, UnreadError(end - start, detail))
            return None
        yield self._damage(start, border)
        return border

    def _scanner(self, position: int) -> ElementScanner:
        # Every place but the first of a file is that of an element, inside an array.
        opening = self._opening if position else b""
        scanner = ElementScanner(depth=len(self._opening), base=position - len(opening))
        scanner.feed(opening)
        return scanner

    def _is_over(self, scanner: ElementScanner) -> bool:
        """Whether a span that was scanned ends where it should."""
        if self._is_last:
            return not scanner.nesting
        return scanner.open_element is None

    def _ranges(self, scanner: ElementScanner, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Scans a range; yields start and stop of its elements up to the end of the text."""
        for block_start, block_stop in self._blocks(start, stop):
            block = read_range(self._descriptor, block_start, block_stop - block_start)
            yield from map(tuple, scanner.feed(block).tolist())
            if scanner.rest is not None:
                return

    def _element(self, start: int, stop: int) -> Record:
        size = stop - start
        if size > reads.MAX_RECORD_BYTES:
            return Record(start, size, 0, too_large(size))
        return self._record(start, read_range(self._descriptor, start, size))

    def _border(self, start: int, stop: int) -> int | None:
        """Returns where elements go on inside what the scan takes for one element, if they do."""
        scanner, scanned = self._scanner(start), start
        for border, trial in self._trials(start, stop):
            for _ in self._ranges(scanner, scanned, border):
                pass
            scanned = border
            # An array further inside would close before the element does.
            is_beyond = trial.is_whole or stop <= trial.stop < self._span.stop
            if trial.leads_on and (scanner.is_in_string or is_beyond):
                return border
        return None

    def _trials(self, start: int, stop: int) -> Iterator[tuple[int, _Trial]]:
        """Yields borders and what follows; none inside what was read in an earlier trial."""
        read = start
        trials = 0
        for border in self._borders(start, stop):
            if border >= read and trials < _MOST_TRIALS:
                trial = self._try(border)
                yield border, trial
                read = trial.stop
                trials += 1

    def _try(self, border: int) -> _Trial:
        scanner = self._scanner(border)
        elements = 0
        for start, stop in self._ranges(scanner, border, self._span.stop):
            if _is_broken(self._element(start, stop)):
                return _Trial(start, elements > 0, False)
            elements += 1
        if scanner.rest is not None:
            return _Trial(scanner.rest, False, False)
        stop = scanner.open_element or self._span.stop
        return _Trial(stop, elements > 0, self._is_over(scanner))

    def _borders(self, start: int, stop: int) -> Iterator[int]:
        """Yields where objects begin that stand right after objects."""
        last = start
        for block_start, block_stop in self._blocks(start, stop):
            first = max(start, block_start - _OVERLAP_BYTES)
            block = read_range(self._descriptor, first, block_stop - first)
            for match in _BORDER.finditer(block):
                if first + match.end() > last:
                    last = first + match.end()
                    yield last

    def _blocks(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Cuts a range into blocks, small ones first: most trials end within a few elements."""
        size = min(_FIRST_BLOCK_BYTES, self._block_bytes)
        while start < stop:
            yield start, min(start + size, stop)
            start, size = start + size, min(2 * size, self._block_bytes)

    def _damage(self, start: int, stop: int) -> Record:
        detail = f"bytes {start} to {stop} are no element; the next one is whole"
        return Record(start, stop - start, 0, SampleError(RejectReason.INVALID_JSON, detail))


def _is_broken(record: Record) -> bool:
    return isinstance(record.fields, SampleError) and (
        record.fields.reason in _NOT_JSON or record.size > reads.MAX_RECORD_BYTES
    )
