"""Pass 2's reads: the samples of one shard, wherever they stand.

A shard's samples lie scattered over the inputs. Its reads are sorted by file and offset, adjacent
ranges are joined, and sixteen are outstanding: on a cold disk that beats reading in plan order by
a factor of three to five, and the payload is written only once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np
import xxhash
from numpy.typing import NDArray

from packkit.base.engine import LocalEngine
from packkit.base.errors import SourceChangedError
from packkit.base.files import names_in_errors
from packkit.base.reads import read_range
from packkit.packing.sample_table import SampleTable
from packkit.sources import Source

OUTSTANDING_READS = 16

# A joined read ends here: larger ones hold memory without being faster.
_RUN_BYTES = 4 << 20


def gather(
    sources: Sequence[Source], measured: SampleTable, rows: NDArray[np.int64]
) -> Iterator[tuple[int, bytes]]:
    """Yields rows with the bytes of their records, by source and offset.

    Args:
        sources: All inputs, in order.
        measured: The rows of pass 1.
        rows: int64 [k], the rows to read, in any order.

    Raises:
        SourceChangedError: A source is not what it was in pass 1.
    """
    descriptors: dict[int, int] = {}

    def read(run: NDArray[np.int64]) -> bytes:
        first, last = run[0], run[-1]
        start, stop = measured.offset[first], measured.offset[last] + measured.size[last]
        number = int(measured.source[first])
        with names_in_errors(sources[number].path):
            return read_range(descriptors[number], int(start), int(stop - start))

    try:
        for number in np.unique(measured.source[rows]).tolist():
            sources[number].check_unchanged()
            descriptors[number] = os.open(sources[number].path, os.O_RDONLY | os.O_CLOEXEC)
        runs = _runs(measured, rows)
        for run, data in zip(runs, LocalEngine(OUTSTANDING_READS).run(read, runs), strict=True):
            yield from _split(sources, measured, run, data)
    finally:
        for descriptor in descriptors.values():
            os.close(descriptor)


def _runs(measured: SampleTable, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Sorts rows by place and puts those whose records touch into one run."""
    if not len(rows):
        return []
    rows = rows[np.lexsort((measured.offset[rows], measured.source[rows]))]
    source, offset = measured.source[rows], measured.offset[rows]
    is_joined = (
        (source[1:] == source[:-1])
        & (offset[1:] == offset[:-1] + measured.size[rows][:-1])
        & (offset[1:] // _RUN_BYTES == offset[:-1] // _RUN_BYTES)
    )
    return np.split(rows, np.flatnonzero(~is_joined) + 1)


def _split(
    sources: Sequence[Source], measured: SampleTable, run: NDArray[np.int64], data: bytes
) -> Iterator[tuple[int, bytes]]:
    """Cuts the bytes of a run into its records, and compares each with pass 1."""
    offset = measured.offset[run]
    places = (run, offset, offset - offset[0], measured.size[run], measured.checksum[run])
    for row, place, start, size, checksum in zip(*(c.tolist() for c in places), strict=True):
        record = data[start : start + size]
        is_same = len(record) == size and (
            not checksum or xxhash.xxh3_64_intdigest(record) == checksum
        )
        if not is_same:
            name = sources[int(measured.source[row])].name
            raise SourceChangedError(name, f"the record at byte {place} differs")
        yield row, record
