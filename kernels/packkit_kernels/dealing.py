"""Deals sorted samples into the bins of a plan.

Each placement copies its share of a group to its bins: reading runs front to back, writing in
strides over neighbouring bins, a few nanoseconds a sample. Memory: the result alone, one index a
sample and 8 bytes a bin.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from packkit_kernels.placements import count_bins


def deal_samples(
    placements: NDArray[np.void], starts: NDArray[np.int64], order: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Deals samples into bins.

    Args:
        placements: PLACEMENT [P], in order of placement.
        starts: int64 [G], where in `order` the samples of each group start.
        order: Integer [n], sample indices, those of a group together.

    Returns:
        `sample_order`, the type of `order` [n], sample indices bin by bin in order of placement;
        `bin_offsets`, int64 [bins+1].
    """
    bin_offsets = np.empty(count_bins(placements) + 1, np.int64)
    _write_offsets(placements, bin_offsets)
    sample_order = np.empty_like(order)
    _copy_samples(placements, starts, order, bin_offsets, sample_order)
    return sample_order, bin_offsets


@njit(cache=True, nogil=True)
def _write_offsets(placements: NDArray[np.void], bin_offsets: NDArray[np.int64]) -> None:
    for placement in placements:
        first = placement["first_bin"]
        # The last placement of a bin is the one that knows all its samples, and it writes last.
        samples = placement["slot"] + placement["per_bin"]
        for b in range(first, first + placement["bins"]):
            bin_offsets[b + 1] = samples
    bin_offsets[0] = 0
    for b in range(1, len(bin_offsets)):
        bin_offsets[b] += bin_offsets[b - 1]


@njit(cache=True, nogil=True)
def _copy_samples(
    placements: NDArray[np.void],
    starts: NDArray[np.int64],
    order: NDArray[Any],
    bin_offsets: NDArray[np.int64],
    sample_order: NDArray[Any],
) -> None:
    upcoming = starts.copy()
    for placement in placements:
        group, slot = placement["group"], placement["slot"]
        first, per_bin = placement["first_bin"], placement["per_bin"]
        source = upcoming[group]
        for b in range(first, first + placement["bins"]):
            target = bin_offsets[b] + slot
            for i in range(per_bin):
                sample_order[target + i] = order[source + i]
            source += per_bin
        upcoming[group] = source
