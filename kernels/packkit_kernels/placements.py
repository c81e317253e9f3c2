"""Placements: how a planner says which bins the samples of a group go into.

A group is all samples that a planner cannot tell apart: equal in length and, where images are
limited, in images. One placement puts the next `per_bin` samples of a group into each of `bins`
neighbouring bins, so that a plan over 10^10 samples is a few thousand of these records.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

PLACEMENT = np.dtype(
    [
        ("group", np.int64),
        ("first_bin", np.int64),
        ("bins", np.int64),
        ("per_bin", np.int64),
        # Samples that stand in each of these bins already.
        ("slot", np.int64),
    ],
    align=True,
)


@njit(cache=True, nogil=True)
def append_placement(
    placements: NDArray[np.void],
    used: int,
    group: int,
    first_bin: int,
    bins: int,
    per_bin: int,
    slot: int,
) -> NDArray[np.void]:
    """Writes record `used`; returns the array, moved to twice the space where it was full."""
    if used == len(placements):
        longer = np.empty(2 * used, PLACEMENT)
        longer[:used] = placements
        placements = longer
    record = placements[used]
    record["group"] = group
    record["first_bin"] = first_bin
    record["bins"] = bins
    record["per_bin"] = per_bin
    record["slot"] = slot
    return placements


def count_bins(placements: NDArray[np.void]) -> int:
    """Returns the number of bins that a plan uses.

    >>> count_bins(np.array([(0, 0, 7, 1, 0), (1, 7, 2, 3, 0)], PLACEMENT))
    9
    """
    return int((placements["first_bin"] + placements["bins"]).max(initial=0))
