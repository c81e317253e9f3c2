"""Fills bins to the last token where lengths allow it: patterns of lengths instead of first fit.

While samples are left, one pattern is made: the longest length left, and others so that the sum is
the greatest within the capacity that the samples left can reach; among equal sums, the one with
most of the longer lengths. The pattern is used as often as the counts allow.

Which sums can be reached is read from a table of bits. Each row stands for one length and holds the
sums of all multisets of the lengths from its own downward that the counts allow. Samples only ever
disappear, so an old table claims too much and never too little: what it rules out stays ruled out,
and a pattern that can be made from it is right. Where a claim fails, the table is made again.

The table takes lengths x capacity bits, at most 16 MiB. Where it would take more (2^27 bits: a
capacity over 11,000 with as many lengths) it is made for every second length, every third and so
on, and a sum that only the lengths left out can reach is missed. Each pattern, some 1.5 for each
length, costs O(lengths + capacity), each table O(bits / 64) for each doubling of a length; the
number of samples does not matter.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from packkit_kernels.placements import PLACEMENT, append_placement

_TABLE_WORDS = 1 << 21
_STALE = -1


@njit(cache=True, nogil=True)
def place_exact_fill(
    lengths: NDArray[np.int64], counts: NDArray[np.int64], capacity: int
) -> NDArray[np.void]:
    """Places groups pattern by pattern.

    Args:
        lengths: int64 [G], tokens of a sample of each group, in 1..capacity, falling.
        counts: int64 [G], samples of each group, at least 1.
        capacity: Tokens that a bin holds.

    Returns:
        PLACEMENT [P], in order of placement; a group's samples go in the order of its records.
    """
    left = counts.copy()
    words = capacity // 64 + 1
    most_rows = max(1, min(len(lengths), _TABLE_WORDS // words))
    table = np.empty((most_rows + 1, words), np.uint64)
    row_groups = np.empty(most_rows, np.int64)
    sums = np.empty(words, np.uint64)
    pattern = np.empty((len(lengths), 2), np.int64)
    placements = np.empty(1024, PLACEMENT)
    used_placements, first_bin, longest = 0, 0, 0
    rows, step = _make_table(table, row_groups, lengths, left, longest)
    row, run_out = 0, 0
    while longest < len(lengths):
        if left[longest] == 0:
            longest += 1
            continue
        while row < rows and row_groups[row] <= longest:
            row += 1
        total = _greatest_sum(table[row], sums, lengths[longest], left[longest], capacity)
        size = _make_pattern(table, row_groups, row, rows, lengths, left, longest, total, pattern)
        is_thin = step > 1 and total < capacity and 2 * run_out >= rows
        if size == _STALE or is_thin:
            rows, step = _make_table(table, row_groups, lengths, left, longest)
            row, run_out = 0, 0
            continue
        bins = _times(pattern[:size], left)
        slot = 0
        for group, copies in pattern[:size]:
            placements = append_placement(
                placements, used_placements, group, first_bin, bins, copies, slot
            )
            used_placements += 1
            slot += copies
            left[group] -= bins * copies
            run_out += left[group] == 0
        first_bin += bins
    return placements[:used_placements]


@njit(cache=True, nogil=True)
def _make_table(
    table: NDArray[np.uint64],
    row_groups: NDArray[np.int64],
    lengths: NDArray[np.int64],
    left: NDArray[np.int64],
    longest: int,
) -> tuple[int, int]:
    """Makes the table for the groups after `longest` that have samples left.

    Returns:
        The number of rows, one for every `step`-th group, and `step`. One more row holds the
        empty sum alone.
    """
    groups = np.flatnonzero(left[longest + 1 :]) + longest + 1
    step = max(1, -(-len(groups) // len(row_groups)))
    groups = groups[::step]
    rows = len(groups)
    row_groups[:rows] = groups
    table[rows] = 0
    table[rows, 0] = 1
    for row in range(rows - 1, -1, -1):
        table[row] = table[row + 1]
        _add_copies(table[row], lengths[groups[row]], left[groups[row]])
    return rows, step


@njit(cache=True, nogil=True)
def _add_copies(sums: NDArray[np.uint64], length: int, copies: int) -> None:
    """Adds to a set of sums what it reaches with up to `copies` more samples of `length`."""
    step = 1
    while copies > 0 and step * length < 64 * len(sums):
        step = min(step, copies)
        _add_shifted(sums, step * length)
        copies -= step
        step *= 2


@njit(cache=True, nogil=True)
def _add_shifted(sums: NDArray[np.uint64], distance: int) -> None:
    """Adds every sum plus `distance` to a set of sums, as far as it has bits."""
    words, bits = distance // 64, np.uint64(distance % 64)
    for word in range(len(sums) - 1, words, -1):
        shifted = sums[word - words] << bits
        # Shifting by 64 is not defined.
        if bits:
            shifted |= sums[word - words - 1] >> (np.uint64(64) - bits)
        sums[word] |= shifted
    sums[words] |= sums[0] << bits


@njit(cache=True, nogil=True)
def _holds(sums: NDArray[np.uint64], total: int) -> bool:
    return bool((sums[total // 64] >> np.uint64(total % 64)) & np.uint64(1))


@njit(cache=True, nogil=True)
def _greatest_sum(
    others: NDArray[np.uint64],
    sums: NDArray[np.uint64],
    length: int,
    copies: int,
    capacity: int,
) -> int:
    """Returns the greatest sum within the capacity of 1..copies samples of `length` and others."""
    sums[:] = others
    _add_copies(sums, length, copies - 1)
    total = capacity - length
    while not _holds(sums, total):
        total -= 1
    return total + length


@njit(cache=True, nogil=True)
def _make_pattern(
    table: NDArray[np.uint64],
    row_groups: NDArray[np.int64],
    row: int,
    rows: int,
    lengths: NDArray[np.int64],
    left: NDArray[np.int64],
    longest: int,
    total: int,
    pattern: NDArray[np.int64],
) -> int:
    """Writes (group, copies) of the pattern for `total`; returns its size, or _STALE."""
    size = 0
    group = longest
    while True:
        copies = _most_copies(table[row], total, lengths[group], left[group])
        if copies == _STALE:
            return _STALE
        if copies > 0:
            pattern[size, 0] = group
            pattern[size, 1] = copies
            size += 1
            total -= copies * lengths[group]
        if total == 0:
            return size
        group = row_groups[row]
        row += 1


@njit(cache=True, nogil=True)
def _most_copies(others: NDArray[np.uint64], total: int, length: int, left: int) -> int:
    """Returns the most samples of `length` that leave a sum which the others are said to reach."""
    for copies in range(min(left, total // length), -1, -1):
        if _holds(others, total - copies * length):
            return copies
    return _STALE


@njit(cache=True, nogil=True)
def _times(pattern: NDArray[np.int64], left: NDArray[np.int64]) -> int:
    """Returns how often the samples left allow the pattern."""
    times: int = (left[pattern[:, 0]] // pattern[:, 1]).min()
    return times
