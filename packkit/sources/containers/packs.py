"""Packs, ours and those of Open-Qwen2VL, taken apart into the samples that they hold.

Each sample is a record with a byte range of its own, so that packing again reads it alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from packkit.errors import RejectReason, SampleError
from packkit.sources.base import Record, Span
from packkit.sources.containers.json_array import cut_off
from packkit.sources.containers.json_lines import JsonLines, read_lines
from packkit_kernels.json_elements import ElementScanner

__all__ = ["PackFile", "PackLines"]


class PackLines(JsonLines):
    """A file with one ``{"data": [...], "lengths": [...]}`` a line."""

    name: ClassVar[str] = "pack-lines"
    suffixes: ClassVar[tuple[str, ...]] = ()

    def scan(self, path: Path, span: Span) -> Iterator[Record]:
        """Yields the samples of the packs of a span."""
        for offset, line in read_lines(path, span):
            yield from self._samples(offset, line)

    def _samples(self, offset: int, pack: bytes) -> Iterator[Record]:
        scanner = ElementScanner(depth=2, base=offset)
        lengths = samples = 0
        for start, stop in scanner.feed(pack).tolist():
            element = pack[start - offset : stop - offset]
            if element[:1].isdigit():
                lengths += 1
            else:
                samples += 1
                yield self._record(start, element)
        if scanner.nesting:
            yield cut_off(scanner, offset + len(pack))
        elif samples != lengths:
            detail = f"the pack at byte {offset} has {samples} samples but {lengths} lengths"
            yield Record(offset, 0, 0, SampleError(RejectReason.INVALID_SAMPLE, detail))


class PackFile(PackLines):
    """A file that is one pack, such as Open-Qwen2VL's ``*_packed.json``."""

    name: ClassVar[str] = "pack-file"
    suffixes: ClassVar[tuple[str, ...]] = ()

    def split(self, path: Path) -> list[Span]:
        """Returns the whole file as one span."""
        return [Span(0, path.stat().st_size)]

    def scan(self, path: Path, span: Span) -> Iterator[Record]:
        """Yields the samples of the pack."""
        yield from self._samples(span.start, path.read_bytes())
