"""First-Fit-Decreasing on groups of equal samples, at a cost that does not grow with their number.

First-Fit-Decreasing treats equal samples alike, so it need not look at them one by one. Bins that
have had the same history stand in runs of neighbours. A run that takes a whole group's share stays
one run; the last run that a group reaches splits into bins that took all they can, at most one
that took less, and untouched ones. New bins are no special case: the last run is endless and empty.

Runs with room for the length at hand stand in heaps by first bin, one heap for each number of
images that still fits, so that the first that fits is found without walking over those that do
not. Runs with less room wait in a list for each number of tokens until the lengths come down to
it; those that no length can reach any more are dropped.

G groups make at most 2 G + 1 runs. Time is O(capacity + P (log G + max_images)) for P placements,
and P is at most the number of samples; memory is O(G + P + capacity).
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from packkit_kernels.placements import PLACEMENT, append_placement

_RUN = np.dtype(
    [
        ("first_bin", np.int64),
        ("bins", np.int64),
        # Room that is left in each of its bins.
        ("tokens", np.int64),
        ("images", np.int64),
        ("samples", np.int64),
        # Links of the pairing heap; a waiting run uses `sibling` alone.
        ("child", np.int64),
        ("sibling", np.int64),
    ],
    align=True,
)
_NONE = -1


@njit(cache=True, nogil=True)
def place_first_fit(
    lengths: NDArray[np.int64],
    images: NDArray[np.int64],
    counts: NDArray[np.int64],
    capacity: int,
    max_images: int,
    max_samples: int,
) -> NDArray[np.void]:
    """Places groups in the order given: each sample into the first bin where it fits.

    Args:
        lengths: int64 [G], tokens of a sample of each group, in 1..capacity, never rising.
        images: int64 [G], images of a sample of each group, in 0..max_images.
        counts: int64 [G], samples of each group, at least 1.
        capacity: Tokens that a bin holds.
        max_images: Images that a bin holds.
        max_samples: Samples that a bin holds.

    Returns:
        PLACEMENT [P], in order of placement; a group's samples go in the order of its records.
    """
    runs = np.empty(2 * len(lengths) + 1, _RUN)
    heaps = np.full(max_images + 1, _NONE)
    waiting = np.full(capacity + 1, _NONE)
    placements = np.empty(1024, PLACEMENT)
    used_runs, used_placements = 1, 0
    _start_endless_run(runs, counts.sum() + 1, capacity, max_images, max_samples)
    heaps[max_images] = 0
    awake = capacity
    for group in range(len(lengths)):
        length, left = lengths[group], counts[group]
        for tokens in range(length, awake):
            _wake(runs, heaps, waiting[tokens])
        awake = length
        while left > 0:
            root = _first_fit(runs, heaps, images[group])
            per_bin = min(left, _samples_that_fit(runs[root], length, images[group]))
            bins = min(left // per_bin, runs[root]["bins"])
            run = root
            if bins == runs[root]["bins"]:
                heaps[runs[root]["images"]] = _pop(runs, root)
            else:
                run = used_runs
                used_runs += 1
                _split_front(runs, root, run, bins)
            slot = max_samples - runs[run]["samples"]
            placements = append_placement(
                placements, used_placements, group, runs[run]["first_bin"], bins, per_bin, slot
            )
            used_placements += 1
            left -= bins * per_bin
            runs[run]["tokens"] -= per_bin * length
            runs[run]["images"] -= per_bin * images[group]
            runs[run]["samples"] -= per_bin
            _put_back(runs, heaps, waiting, run, length, lengths[-1])
    return placements[:used_placements]


@njit(cache=True, nogil=True)
def _start_endless_run(
    runs: NDArray[np.void], bins: int, tokens: int, images: int, samples: int
) -> None:
    runs[0]["first_bin"] = 0
    runs[0]["bins"] = bins
    runs[0]["tokens"] = tokens
    runs[0]["images"] = images
    runs[0]["samples"] = samples
    runs[0]["child"] = _NONE


@njit(cache=True, nogil=True)
def _first_fit(runs: NDArray[np.void], heaps: NDArray[np.int64], images: int) -> int:
    """Returns the run of the first bin with room for `images`."""
    first = _NONE
    for root in heaps[images:]:
        if root != _NONE and (first == _NONE or runs[root]["first_bin"] < runs[first]["first_bin"]):
            first = root
    return first


@njit(cache=True, nogil=True)
def _samples_that_fit(run: np.void, length: int, images: int) -> int:
    fit: int = min(run["tokens"] // length, run["samples"])
    if images > 0:
        fit = min(fit, run["images"] // images)
    return fit


@njit(cache=True, nogil=True)
def _split_front(runs: NDArray[np.void], root: int, run: int, bins: int) -> None:
    """Makes `run` of the first bins of the root of a heap, which stays first in its heap."""
    runs[run] = runs[root]
    runs[run]["bins"] = bins
    runs[root]["first_bin"] += bins
    runs[root]["bins"] -= bins


@njit(cache=True, nogil=True)
def _put_back(
    runs: NDArray[np.void],
    heaps: NDArray[np.int64],
    waiting: NDArray[np.int64],
    run: int,
    length: int,
    shortest: int,
) -> None:
    """Puts a run where the room in its bins belongs; drops it where nothing fits any more."""
    tokens = runs[run]["tokens"]
    if tokens < shortest or runs[run]["samples"] == 0:
        return
    if tokens >= length:
        _push(runs, heaps, run)
    else:
        runs[run]["sibling"] = waiting[tokens]
        waiting[tokens] = run


@njit(cache=True, nogil=True)
def _wake(runs: NDArray[np.void], heaps: NDArray[np.int64], run: int) -> None:
    """Moves a list of waiting runs to the heaps."""
    while run != _NONE:
        following = runs[run]["sibling"]
        _push(runs, heaps, run)
        run = following


@njit(cache=True, nogil=True)
def _push(runs: NDArray[np.void], heaps: NDArray[np.int64], run: int) -> None:
    images = runs[run]["images"]
    runs[run]["child"] = _NONE
    heaps[images] = _join(runs, heaps[images], run)


@njit(cache=True, nogil=True)
def _join(runs: NDArray[np.void], root: int, other: int) -> int:
    """Joins two pairing heaps; returns the root, whose bins come first."""
    if root == _NONE:
        return other
    if other == _NONE:
        return root
    if runs[other]["first_bin"] < runs[root]["first_bin"]:
        root, other = other, root
    runs[other]["sibling"] = runs[root]["child"]
    runs[root]["child"] = other
    return root


@njit(cache=True, nogil=True)
def _pop(runs: NDArray[np.void], root: int) -> int:
    """Returns what is left of a pairing heap without its root: joined in pairs, then into one."""
    pairs = _NONE
    child = runs[root]["child"]
    while child != _NONE:
        partner = runs[child]["sibling"]
        following = _NONE if partner == _NONE else runs[partner]["sibling"]
        pair = _join(runs, child, partner)
        runs[pair]["sibling"] = pairs
        pairs = pair
        child = following
    heap = _NONE
    while pairs != _NONE:
        following = runs[pairs]["sibling"]
        heap = _join(runs, heap, pairs)
        pairs = following
    return heap
