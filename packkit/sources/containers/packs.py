"""Packs, ours and those of Open-Qwen2VL, taken apart into the samples that they hold.

Each sample is a record with a byte range of its own, so that packing again reads it alone. A pack
is held in memory while its samples are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from packkit.base.errors import SampleError, invalid_sample
from packkit.sources.base import Fields, Record, Span
from packkit.sources.containers.json_array import cut_off, read_document
from packkit.sources.containers.json_lines import JsonLines, parse_object, read_lines
from packkit_kernels.json_elements import ElementScanner

_Ranges = list[list[int]]


class PackLines(JsonLines):
    """A file with one ``{"data": [...], "lengths": [...]}`` a line."""

    name: ClassVar[str] = "pack-lines"
    suffixes: ClassVar[tuple[str, ...]] = ()

    def scan(self, path: Path, span: Span) -> Iterator[Record]:
        """Yields the samples of the packs of a span; a line that is not a pack is one record."""
        for offset, line in read_lines(path, span):
            yield from self._samples(offset, line)

    def _samples(self, offset: int, pack: bytes) -> Iterator[Record]:
        scanner = ElementScanner(depth=2, base=offset)
        elements = (scanner.feed(pack) - offset).tolist()
        is_whole = not scanner.nesting
        try:
            samples, lengths = _samples_and_lengths(pack, elements, is_whole=is_whole)
        except SampleError as error:
            yield Record(offset, len(pack), 0, error)
            return
        for start, stop in samples:
            yield self._record(offset + start, pack[start:stop])
        if not is_whole:
            yield cut_off(scanner, offset + len(pack))
        elif len(samples) != len(lengths):
            detail = f"a pack of {len(samples)} samples and {len(lengths)} lengths"
            yield Record(offset, 0, 0, invalid_sample(detail))


class PackFile(PackLines):
    """A file that is one pack, such as Open-Qwen2VL's ``*_packed.json``."""

    name: ClassVar[str] = "pack-file"

    def split(self, path: Path) -> list[Span]:
        """Returns the whole file as one span."""
        return [Span(0, path.stat().st_size)]

    def scan(self, path: Path, span: Span) -> Iterator[Record]:
        """Yields the samples of the pack."""
        yield from self._samples(*read_document(path))


def _samples_and_lengths(
    pack: bytes, elements: _Ranges, *, is_whole: bool
) -> tuple[_Ranges, _Ranges]:
    """Returns which elements of a pack's lists are samples, and which are lengths.

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
    return ranges["data"], ranges["lengths"]


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
