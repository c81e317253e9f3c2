"""Groups: samples that no planner can tell apart, and the order that brings them together.

Planners work on groups, of which there are as many as different lengths (and numbers of images,
where those are limited), whatever the number of samples. The stable counting sort that brings the
samples of each group together writes as many streams as there are lengths, a few nanoseconds a
sample. Memory: one index a sample, two while sorting by images and length; 8 bytes a length, and
8 for each number of images up to the largest.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray


class Groups(NamedTuple):
    """Groups in order of placement: longer first, then more images first.

    Attributes:
        lengths: int64 [G], tokens of a sample.
        images: int64 [G], images of a sample; all 0 where images are not limited.
        counts: int64 [G], number of samples in each group.
        starts: int64 [G], where each group starts among the sorted samples.
    """

    lengths: NDArray[np.int64]
    images: NDArray[np.int64]
    counts: NDArray[np.int64]
    starts: NDArray[np.int64]


def group_by_length(counts: NDArray[np.int64]) -> Groups:
    """Returns the groups of samples that differ by length alone.

    Args:
        counts: int64 [k], samples of 0, 1, ... tokens.

    >>> group_by_length(np.array([0, 2, 0, 5])).lengths.tolist()
    [3, 1]
    """
    lengths = np.flatnonzero(counts)[::-1].copy()
    starts = (np.cumsum(counts) - counts)[lengths]
    return Groups(lengths, np.zeros_like(lengths), counts[lengths], starts)


def group_by_images(lengths: NDArray[Any], images: NDArray[Any], order: NDArray[Any]) -> Groups:
    """Returns the groups of samples that differ by length or images.

    Args:
        lengths: Integer [n], tokens of each sample.
        images: Integer [n], images of each sample.
        order: Integer [n], the samples sorted by length and images.

    >>> group_by_images(np.array([3, 3, 3]), np.array([0, 1, 0]), np.array([0, 2, 1])).counts
    array([1, 2])
    """
    starts = np.flatnonzero(_marks_of_groups(lengths, images, order))
    counts = np.diff(starts, append=len(order))
    firsts = order[starts]
    columns = (lengths[firsts], images[firsts], counts, starts)
    return Groups(*(column[::-1].astype(np.int64) for column in columns))


def sort_samples(
    lengths: NDArray[Any], counts: NDArray[np.int64], images: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Returns the stable order of samples by rising length, then by rising number of images.

    Args:
        lengths: Integer [n], tokens of each sample.
        counts: int64 [k], samples of 0, 1, ... tokens.
        images: Integer [n], images of each sample, at least 0; None leaves equal
            lengths in the order given.

    Returns:
        int32 [n] (int64 from 2^31 samples on), sample indices.

    >>> sort_samples(np.array([2, 1, 2]), np.array([0, 1, 2])).tolist()
    [1, 0, 2]
    """
    index = np.int32 if len(lengths) < 2**31 else np.int64
    by_images = None
    if images is not None:
        by_images = np.empty(len(images), index)
        image_counts = count_values(images, int(images.max(initial=0)) + 1)
        _counting_sort(images, image_counts, None, by_images)
    order: NDArray[Any] = np.empty(len(lengths), index)
    _counting_sort(lengths, counts, by_images, order)
    return order


@njit(cache=True, nogil=True)
def count_values(values: NDArray[Any], size: int) -> NDArray[np.int64]:
    """Returns how often each of 0..size-1 occurs.

    Args:
        values: Integer [n], in 0..size-1.
        size: Number of counts.

    >>> count_values(np.array([3, 1, 3], np.uint16), 5).tolist()
    [0, 1, 0, 2, 0]
    """
    counts = np.zeros(size, np.int64)
    for value in values:
        counts[value] += 1
    return counts


@njit(cache=True, nogil=True)
def _counting_sort(
    values: NDArray[Any],
    counts: NDArray[np.int64],
    before: NDArray[Any] | None,
    order: NDArray[Any],
) -> None:
    """Writes the stable order by rising value; equal ones stand as in `before`, or as given."""
    ends = np.cumsum(counts) - counts
    for i in range(len(values)):
        sample = i if before is None else before[i]
        value = values[sample]
        order[ends[value]] = sample
        ends[value] += 1


@njit(cache=True, nogil=True)
def _marks_of_groups(
    lengths: NDArray[Any], images: NDArray[Any], order: NDArray[Any]
) -> NDArray[np.bool_]:
    """Returns a mark on each sample in `order` that differs from the one before it."""
    marks = np.ones(len(order), np.bool_)
    for i in range(1, len(order)):
        before, after = order[i - 1], order[i]
        marks[i] = lengths[before] != lengths[after] or images[before] != images[after]
    return marks
