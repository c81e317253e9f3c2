"""What a pack set holds: histograms, and how evenly its groups are mixed.

Everything comes from the index; no payload is read. Cost: O(samples + images).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packkit.base.orders import LARGEST_STEP
from packkit.base.values import check_whole
from packkit.planning import plan_histogram
from packkit.shards.index import ShardIndex
from packkit.shards.reader import PackReader

PACKS_PER_STEP = 256
"""Global batch of the paper's pretraining, packs."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of values in bins of equal width.

    Attributes:
        edges: Lower edge of every bin, which it includes, and the upper edge of the last.
        counts: Number of values in each bin.
        minimum: Smallest value.
        median: Middle value.
        maximum: Largest value.
    """

    edges: list[int]
    counts: list[int]
    minimum: int
    median: float
    maximum: int


@dataclass(frozen=True, slots=True)
class GroupStats:
    """One group in the mixture.

    Attributes:
        name: Name of the group: ``meta.source`` of its samples, or the file they were read from.
        samples: Number of samples in the group.
        tokens: Tokens of those samples.
        share: Part of all tokens that the group has.
        noise: Standard deviation of the share from step to step; None with fewer than two steps.
        independent_noise: Noise that the share would have if every sample were drawn independently.
    """

    name: str
    samples: int
    tokens: int
    share: float
    noise: float | None
    independent_noise: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetStats:
    """Figures of a pack set.

    Attributes:
        packs: Number of packs.
        samples: Number of samples.
        images: Number of images that take tokens.
        tokens: Tokens of all samples.
        bytes: Bytes of all packs.
        capacity: Tokens that a pack can hold.
        efficiency: Share of the capacity that is used, tokens / (packs x capacity), in [0, 1].
        lower_bound: Number of packs that any packing of these lengths needs at least.
        gap: Packs above the bound, (packs - lower_bound) / lower_bound.
        lengths: Histogram of the tokens of each sample.
        samples_per_pack: Histogram of the samples of each pack.
        images_per_pack: Histogram of the images of each pack.
        single_group_packs: Share of packs whose samples all have one group.
        packs_per_step: Packs of one step, for the noise of the groups.
        groups: One entry a group, most tokens first.
    """

    packs: int
    samples: int
    images: int
    tokens: int
    bytes: int
    capacity: int
    efficiency: float
    lower_bound: int
    gap: float
    lengths: Histogram
    samples_per_pack: Histogram
    images_per_pack: Histogram
    single_group_packs: float
    packs_per_step: int
    groups: list[GroupStats]

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form."""
        return asdict(self)


def set_stats(reader: PackReader, *, packs_per_step: int = PACKS_PER_STEP) -> SetStats:
    """Measures a pack set from its index.

    Args:
        reader: Open pack set.
        packs_per_step: Packs of one step, for the noise of the groups.

    Raises:
        InputError: `packs_per_step` is not in 1..`LARGEST_STEP`.
    """
    check_whole("packs_per_step", packs_per_step, 1, LARGEST_STEP)
    indexes = [reader.index(number) for number in range(reader.shards)]
    lengths = reader.lengths
    samples_per_pack = _joined([np.diff(index.first_sample) for index in indexes])
    offsets = np.concatenate(([0], np.cumsum(samples_per_pack, dtype=np.int64)))
    names = list(dict.fromkeys(name for index in indexes for name in index.groups))
    groups = _joined([_renumbered(index, names) for index in indexes])
    images_per_pack = _joined([_images_per_pack(index) for index in indexes])
    tokens = int(lengths.sum(dtype=np.int64))
    if reader.manifest is not None:
        bound = reader.manifest.lower_bound
    else:
        longest = max(reader.capacity, int(lengths.max(initial=0)))
        counts = np.bincount(lengths, minlength=1)
        bound = plan_histogram(counts, capacity=longest).lower_bound
    packs = len(reader)
    return SetStats(
        packs=packs,
        samples=len(lengths),
        images=int(images_per_pack.sum()),
        tokens=tokens,
        bytes=sum(int(index.pack.size.sum()) for index in indexes),
        capacity=reader.capacity,
        efficiency=tokens / (packs * reader.capacity) if packs else 1.0,
        lower_bound=bound,
        gap=(packs - bound) / bound if bound else 0.0,
        lengths=histogram(lengths),
        samples_per_pack=histogram(samples_per_pack),
        images_per_pack=histogram(images_per_pack),
        single_group_packs=single_group_share(groups, offsets),
        packs_per_step=packs_per_step,
        groups=group_stats(lengths, groups, names, offsets, packs_per_step=packs_per_step),
    )


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate([np.empty(0, np.int32), *parts])


def _renumbered(index: ShardIndex, names: list[str]) -> NDArray[np.int32]:
    """Returns the groups of a shard's samples as numbers that all shards share."""
    numbers = np.array([*map(names.index, index.groups), -1], np.int32)
    return numbers[index.sample.group]


def _images_per_pack(index: ShardIndex) -> NDArray[np.int64]:
    """Returns the images of each pack that take tokens, or may."""
    kept = np.concatenate(([0], np.cumsum(index.image.tokens != 0)))
    return np.diff(kept[index.first_image])


def histogram(values: NDArray[Any], *, bins: int = 12) -> Histogram:
    """Counts integers in at most `bins` bins of equal width.

    Args:
        values: int [n], values to count.
        bins: Largest number of bins.

    >>> histogram(np.array([1, 1, 2, 4]), bins=2).counts
    [3, 1]
    """
    if not len(values):
        return Histogram([0, 1], [0], 0, 0.0, 0)
    low, high = int(values.min()), int(values.max())
    width = max(1, math.ceil((high + 1 - low) / bins))
    counts = np.bincount((values - low) // width)
    edges = (low + width * np.arange(len(counts) + 1)).tolist()
    return Histogram(edges, counts.tolist(), low, float(np.median(values)), high)


def group_stats(
    lengths: NDArray[np.int32],
    groups: NDArray[np.int32],
    names: Sequence[str],
    pack_offsets: NDArray[np.int64],
    *,
    packs_per_step: int = PACKS_PER_STEP,
) -> list[GroupStats]:
    """Measures how evenly groups are mixed over the steps of training.

    A step's share of a group is a ratio of sums over its samples. If every sample were drawn
    independently, a step of n samples would have it with the variance (delta method, e.g. Cochran,
    "Sampling Techniques", 3rd ed., section 2.11)::

        sum over all samples of (length * (is_group - share))^2 / samples / (n * mean_length^2)

    Args:
        lengths: int32 [n], tokens of each sample, in the order of the packs.
        groups: int32 [n], number of each sample's group; -1 where it has none.
        names: Name of each group.
        pack_offsets: int64 [packs+1], where each pack begins among the samples.
        packs_per_step: Packs of one step; the packs after the last full step are left out.

    Returns:
        One entry a group, most tokens first.
    """
    weights = lengths.astype(np.float64)
    steps = (len(pack_offsets) - 1) // packs_per_step
    cuts = pack_offsets[: steps * packs_per_step + 1 : packs_per_step]
    result = []
    for number, name in enumerate(names):
        is_group = groups == number
        tokens = int(lengths[is_group].sum(dtype=np.int64))
        if not tokens:
            continue
        share = tokens / weights.sum()
        noise = independent = None
        if steps > 1:
            of_group = _sums(weights * is_group, cuts)
            noise = float(np.std(of_group / _sums(weights, cuts), ddof=1))
            samples_per_step = (cuts[-1] - cuts[0]) / steps
            spread = np.mean((weights * (is_group - share)) ** 2)
            independent = float(np.sqrt(spread / samples_per_step) / weights.mean())
        result.append(
            GroupStats(name, int(is_group.sum()), tokens, float(share), noise, independent)
        )
    return sorted(result, key=lambda group: -group.tokens)


def single_group_share(groups: NDArray[np.int32], pack_offsets: NDArray[np.int64]) -> float:
    """Returns the share of packs whose samples all have one group.

    Args:
        groups: int32 [n], number of each sample's group.
        pack_offsets: int64 [packs+1], where each pack begins among the samples; none is empty.

    >>> single_group_share(np.array([0, 0, 0, 1], np.int32), np.array([0, 2, 4]))
    0.5
    """
    if len(pack_offsets) < 2:
        return 0.0
    starts = pack_offsets[:-1]
    lowest = np.minimum.reduceat(groups, starts)
    return float(np.mean(lowest == np.maximum.reduceat(groups, starts)))


def _sums(values: NDArray[np.float64], cuts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Returns the sum of the values between each cut and the next."""
    totals = np.concatenate(([0.0], np.cumsum(values)))
    sums: NDArray[np.float64] = np.diff(totals[cuts])
    return sums
