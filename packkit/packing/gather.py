"""Pass 2's reads: the samples of one shard, wherever they stand.

A shard's samples lie scattered over the inputs. Its reads are sorted by file and offset, adjacent
ranges are joined, and sixteen are outstanding: on a cold disk that beats reading in plan order by
a factor of three to five, and the payload is written only once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import xxhash

from packkit.base.errors import SourceChangedError
from packkit.sources import Source

OUTSTANDING_READS = 16

# A joined read ends here: larger ones hold memory without being faster.
_RUN_BYTES = 4 << 20


class ReadRange(NamedTuple):
    """One record to read.

    Attributes:
        source: Number of the source.
        offset: First byte.
        size: Bytes.
        checksum: Xxh3_64 of the bytes in pass 1; 0 where it did not read them.
        key: Whatever the caller tells this record by.
    """

    source: int
    offset: int
    size: int
    checksum: int
    key: int


def read_ranges(
    sources: Sequence[Source], ranges: Iterable[ReadRange]
) -> Iterator[tuple[ReadRange, bytes]]:
    """Yields records with their bytes, by source and offset.

    Raises:
        SourceChangedError: A source is not what it was in pass 1.
    """
    ordered = sorted(ranges)
    descriptors: dict[int, int] = {}
    try:
        for number in {item.source for item in ordered}:
            sources[number].check_unchanged()
            descriptors[number] = os.open(sources[number].path, os.O_RDONLY | os.O_CLOEXEC)
        runs = list(_runs(ordered))
        with ThreadPoolExecutor(OUTSTANDING_READS) as threads:
            read = threads.map(lambda run: _read_run(descriptors[run[0].source], run), runs)
            for run, data in zip(runs, read, strict=True):
                yield from _split(sources, run, data)
    finally:
        for descriptor in descriptors.values():
            os.close(descriptor)


def _runs(ordered: Iterable[ReadRange]) -> Iterator[list[ReadRange]]:
    """Joins ranges that touch."""
    run: list[ReadRange] = []
    for item in ordered:
        if run and (
            item.source != run[0].source
            or item.offset != run[-1].offset + run[-1].size
            or item.offset - run[0].offset > _RUN_BYTES
        ):
            yield run
            run = []
        run.append(item)
    if run:
        yield run


def _read_run(descriptor: int, run: list[ReadRange]) -> bytes:
    return os.pread(descriptor, run[-1].offset + run[-1].size - run[0].offset, run[0].offset)


def _split(
    sources: Sequence[Source], run: list[ReadRange], data: bytes
) -> Iterator[tuple[ReadRange, bytes]]:
    for item in run:
        start = item.offset - run[0].offset
        record = data[start : start + item.size]
        is_same = len(record) == item.size and (
            not item.checksum or xxhash.xxh3_64_intdigest(record) == item.checksum
        )
        if not is_same:
            raise SourceChangedError(
                sources[item.source].name, f"the record at byte {item.offset} differs"
            )
        yield item, record
