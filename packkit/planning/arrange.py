"""From lengths to shards: which samples meet in a pack, and in which order packs are written.

Ties must not follow the input. First-Fit-Decreasing takes samples of equal length in the order
given, so concatenated sources would come out as packs of one source each, and it opens its bins
from the longest samples to the shortest, which would be a curriculum of lengths. Therefore the plan
is made over a seeded permutation of the samples, the samples inside a pack are shuffled, and the
packs are written in a seeded order.

Everything is a pure function of the seed, and of nothing that a library may change: the order
comes from sorting splitmix64 hashes. Cost: O(n log n), about 40 bytes a sample while it runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from packkit.base.orders import hashes, seeded_key, seeded_order
from packkit.base.pack_options import ALGORITHM, Algorithm
from packkit.planning.plan import PackPlan, plan_packs

# Every use of the seed draws from a stream of its own.
_SAMPLES, _INSIDE, _PACKS = range(3)


class ShardTask(NamedTuple):
    """One task of pass 2.

    Attributes:
        number: Number of the shard in the set.
        first_pack: Number in the set of the shard's first pack.
        samples: int64 [n], rows of the measured samples in the order they are written.
        bin_offsets: int64 [packs+1], where each pack begins in `samples`.
    """

    number: int
    first_pack: int
    samples: NDArray[np.int64]
    bin_offsets: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The plan of a pack set, in the order in which it is written.

    Attributes:
        plan: Plan over the permuted samples.
        shards: Tasks of pass 2, one a shard.
    """

    plan: PackPlan
    shards: list[ShardTask]


def arrange(
    lengths: NDArray[np.int32],
    images: NDArray[np.int32],
    stored: NDArray[np.int64],
    *,
    capacity: int,
    shard_size: int,
    seed: int = 0,
    algorithm: Algorithm = ALGORITHM,
    max_images: int | None = None,
    max_samples: int | None = None,
) -> Arrangement:
    """Plans packs and cuts them into shards.

    Args:
        lengths: int32 [n], tokens of each sample.
        images: int32 [n], images that each sample keeps.
        stored: int64 [n], estimated bytes that each sample takes in a shard.
        capacity: Tokens that a pack holds at most.
        shard_size: Bytes at which a shard is closed.
        seed: Seed of the orders: of samples before planning, inside packs, and of packs.
        algorithm: Planner to use; see `plan_packs`.
        max_images: Images that a pack holds at most.
        max_samples: Samples that a pack holds at most.
    """
    order = seeded_order(len(lengths), seed, _SAMPLES)
    plan = plan_packs(
        lengths[order],
        capacity=capacity,
        algorithm=algorithm,
        images=None if max_images is None else images[order],
        max_images=max_images,
        max_samples=max_samples,
    )
    samples = order[plan.sample_order]
    sizes = np.diff(plan.bin_offsets)
    bin_of_slot = np.repeat(np.arange(plan.packs), sizes)
    # Shuffled inside: sorted by bin first, by hash second.
    inside = hashes(len(samples), seeded_key(seed, _INSIDE))
    samples = samples[np.lexsort((inside, bin_of_slot))]
    samples, offsets = _reorder(samples, plan.bin_offsets, seeded_order(plan.packs, seed, _PACKS))
    return Arrangement(plan, _cut(samples, offsets, stored, shard_size))


def _reorder(
    samples: NDArray[np.int64], offsets: NDArray[np.int64], order: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the same packs in another order."""
    sizes = np.diff(offsets)[order]
    new_offsets = np.concatenate(([0], np.cumsum(sizes)))
    within = np.arange(len(samples)) - np.repeat(new_offsets[:-1], sizes)
    return samples[np.repeat(offsets[order], sizes) + within], new_offsets


def _cut(
    samples: NDArray[np.int64],
    offsets: NDArray[np.int64],
    stored: NDArray[np.int64],
    shard_size: int,
) -> list[ShardTask]:
    """Closes a shard with the pack that fills it."""
    ends = np.concatenate(([0], np.cumsum(stored[samples])))[offsets[1:]]
    shards: list[ShardTask] = []
    first = closed = 0
    while first < len(ends):
        # A pack larger than a shard still gets one.
        last = max(first + 1, int(np.searchsorted(ends, closed + shard_size, side="right")))
        start, stop = offsets[first], offsets[last]
        bin_offsets = offsets[first : last + 1] - start
        shards.append(ShardTask(len(shards), first, samples[start:stop], bin_offsets))
        first, closed = last, int(ends[last - 1])
    return shards
