"""Packs, ours and those of Open-Qwen2VL, taken apart into the samples that they hold.

Each sample is a record with a byte range of its own, so that packing again reads it alone. A pack
is held in memory while its samples are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from packkit.base.errors import RejectReason, SampleError, UnreadError, invalid_sample
from packkit.sources.base import Fields, Record, Span, too_large
from packkit.sources.containers.json_array import read_document
from packkit.sources.containers.json_lines import (
    JsonLines,
    Line,
    parse_object,
    read_lines,
)
from packkit_kernels.json_elements import ElementScanner

_Ranges = list[list[int]]


class PackLines(JsonLines):
    """A file with one ``{"data": [...], "lengths": [...]}`` a line."""

    name: ClassVar[str] = "pack-lines"
    suffixes: ClassVar[tuple[str, ...]] = ()
    layouts: ClassVar[tuple[str, ...]] = ("open-qwen2vl", "packkit")

    def scan(self, path: Path, span: Span) -> Iterator[Record]:
        """Yields the samples of the packs of a span; a line that is not a pack is one record."""
        for line in read_lines(path, span):
            yield from self._samples(line)

    def _samples(self, line: Line) -> Iterator[Record]:
        offset, size, pack = line
        if len(pack) < size:
            yield Record(offset, size, 0, UnreadError(size, too_large(size).detail))
            return
        scanner = ElementScanner(depth=2, base=offset)
        elements = (scanner.feed(pack) - offset).tolist()
        is_whole = not scanner.nesting
        try:
            samples, lengths = _samples_and_lengths(pack, elements, is_whole=is_whole)
        except SampleError as error:
            if error.reason is not RejectReason.INVALID_SAMPLE and pack.lstrip().startswith(b"{"):
                # A pack that is damaged outside its samples can hold any number of them.
                detail = f"the pack at byte {offset}: {error.detail}"
                yield Record(offset, size, 0, UnreadError(size, detail))
            else:
                yield Record(offset, size, 0, error)
            return
        has_damage = False
        for start, stop in samples:
            record = self._record(offset + start, pack[start:stop])
            has_damage |= isinstance(record.fields, SampleError)
            yield record
        if not is_whole:
            start = scanner.open_element or offset + size
            rest = offset + size - start
            detail = f"the pack at byte {offset} is cut off or damaged"
            yield Record(start, rest, 0, UnreadError(rest, detail))
        elif lengths is not None and len(samples) != len(lengths):
            detail = f"a pack of {len(samples)} samples and {len(lengths)} lengths"
            # What is damaged may be several samples.
            fault = UnreadError(size, detail) if has_damage else invalid_sample(detail)
            yield Record(offset, 0, 0, fault)


class PackFile(PackLines):
    """A file that is one pack, such as Open-Qwen2VL's ``*_packed.json``."""

    name: ClassVar[str] = "pack-file"

    def split(self, path: Path) -> list[Span]:
        """Returns the whole file as one span."""
        return [Span(0, path.stat().st_size)]

    def scan(self, path: Path, span: Span) -> Iterator[Record]:
        """Yields the samples of the pack."""
        yield from self._samples(read_document(path))


def _samples_and_lengths(
    pack: bytes, elements: _Ranges, *, is_whole: bool
) -> tuple[_Ranges, _Ranges | None]:
    """Returns which elements of a pack's lists are samples, and which are lengths, if it has any.

    Raises:
        SampleError: The object does not have the list ``data``, or has elements elsewhere.
    """
    outline = _outline(pack, elements, is_whole=is_whole)
    ranges: dict[str, _Ranges] = {"data": [], "lengths": []}
    first = 0
    for key, value in outline.items():
        if isinstance(value, list):
            ranges[key] = elements[first : first + len(value)]
            first += len(value)
    is_pack = isinstance(outline.get("data"), list) or not is_whole
    if first != len(elements) or not is_pack:
        raise invalid_sample("a pack must have the list data, once")
    return ranges["data"], ranges["lengths"] if "lengths" in outline else None


def _outline(pack: bytes, elements: _Ranges, *, is_whole: bool) -> Fields:
    """Parses a pack with a 0 in place of every element; one that is cut off is closed first.

    Raises:
        SampleError: The pack is not a JSON object.
    """
    if not is_whole and not elements:
        return {}
    pieces = []
    end = 0
    for start, stop in elements:
        pieces.append(pack[end:start])
        end = stop
    pieces.append(pack[end:] if is_whole else b"]}")
    return parse_object(b"0".join(pieces))
