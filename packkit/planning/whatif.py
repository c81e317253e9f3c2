"""What other capacities and algorithms would give, from lengths alone.

Planning needs the histogram of lengths only, so every answer takes milliseconds, whatever the
number of samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packkit.base.pack_options import LARGEST_CAPACITY, Algorithm
from packkit.base.values import check_whole
from packkit.planning.plan import plan_histogram

_ALGORITHMS: tuple[Algorithm, ...] = ("ffd", "fill")


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """The figures of one capacity and algorithm.

    Attributes:
        capacity: Tokens that a pack holds at most.
        algorithm: Planner that was used, ``ffd`` or ``fill``.
        samples: Number of samples that fit.
        overlong: Number of samples longer than `capacity`, which are left out.
        packs: Number of packs.
        efficiency: Tokens / (packs x capacity), in [0, 1].
        lower_bound: Packs that any packing needs at least.
        gap: (packs - lower_bound) / lower_bound.
    """

    capacity: int
    algorithm: str
    samples: int
    overlong: int
    packs: int
    efficiency: float
    lower_bound: int
    gap: float

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form."""
        return asdict(self)


def what_if(lengths: NDArray[Any], capacities: Sequence[int]) -> list[WhatIf]:
    """Plans the same lengths for every capacity with every algorithm.

    Args:
        lengths: Integer [n], tokens of each sample, at least 1.
        capacities: Capacities to try, tokens of a pack.

    Raises:
        InputError: A capacity is not in 1..`LARGEST_CAPACITY`.

    >>> [row.packs for row in what_if(np.array([6, 4, 3, 3]), [8, 10])]
    [3, 3, 2, 2]
    """
    for capacity in capacities:
        check_whole("max_len", capacity, 1, LARGEST_CAPACITY)
    # What fits in no capacity is not counted: a single length could take all memory.
    largest = max(capacities, default=0)
    counts = np.bincount(lengths[lengths <= largest])
    rows = []
    for capacity in capacities:
        fitting = counts[: capacity + 1].astype(np.int64)
        for algorithm in _ALGORITHMS:
            plan = plan_histogram(fitting, capacity=capacity, algorithm=algorithm)
            samples = int(fitting.sum())
            rows.append(
                WhatIf(
                    capacity=capacity,
                    algorithm=algorithm,
                    samples=samples,
                    overlong=len(lengths) - samples,
                    packs=plan.packs,
                    efficiency=plan.efficiency,
                    lower_bound=plan.lower_bound,
                    gap=plan.gap,
                )
            )
    return rows
