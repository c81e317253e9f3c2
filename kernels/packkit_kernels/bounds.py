"""Lower bounds: packs that any packing of these lengths must use at least.

Three bounds from the histogram of lengths, each of which wins on some data:

- the sum of all lengths over the capacity;
- L2 of S. Martello and P. Toth, "Lower bounds and reduction procedures for the bin packing
  problem", Discrete Applied Mathematics 28 (1990): samples over half the capacity cannot share a
  bin, and only what they leave can take the shorter ones;
- the dual feasible functions u^(k) of S. P. Fekete and J. Schepers, "New classes of fast lower
  bounds for bin packing problems", Mathematical Programming 91 (2001): lengths rounded to k-ths of
  a bin in a way that keeps every full bin at one bin or less.

Cost: O(capacity + 100 lengths), whatever the number of samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LARGEST_K = 100


def bin_lower_bound(counts: NDArray[np.int64], capacity: int) -> int:
    """Returns the greatest of the three lower bounds.

    Args:
        counts: int64 [capacity+1], samples of each length.
        capacity: Tokens that a bin holds.

    >>> three_fifths = np.bincount([6, 6, 6, 4], minlength=11)
    >>> bin_lower_bound(three_fifths, 10)
    3
    """
    lengths = np.flatnonzero(counts)
    counts_of_lengths = counts[lengths]
    return max(
        _l2_bound(counts, capacity),
        *(
            _rounding_bound(lengths, counts_of_lengths, capacity, k)
            for k in range(1, _LARGEST_K + 1)
        ),
    )


def _l2_bound(counts: NDArray[np.int64], capacity: int) -> int:
    """Martello and Toth's L2; with the threshold 0 it includes the sum over the capacity."""
    half = capacity // 2
    samples = np.concatenate(([0], np.cumsum(counts)))
    tokens = np.concatenate(([0], np.cumsum(counts * np.arange(capacity + 1))))
    threshold = np.arange(half + 1)
    # Lengths over capacity - threshold leave no room for any length that counts.
    top = capacity - threshold + 1
    over_half = samples[-1] - samples[half + 1]
    room = (samples[top] - samples[half + 1]) * capacity - (tokens[top] - tokens[half + 1])
    short = tokens[half + 1] - tokens[threshold]
    return int(over_half + np.maximum(0, -((room - short) // capacity)).max())


def _rounding_bound(
    lengths: NDArray[np.int64], counts: NDArray[np.int64], capacity: int, k: int
) -> int:
    """The sum of u^(k) over all samples, rounded up.

    With x = length / capacity: u^(k)(x) = x where (k + 1) x is an integer, else
    floor((k + 1) x) / k.
    """
    parts, rest = np.divmod((k + 1) * lengths, capacity)
    kths = int(counts[rest > 0] @ parts[rest > 0])
    tokens = int(counts[rest == 0] @ lengths[rest == 0])
    return -(-(kths * capacity + tokens * k) // (k * capacity))
