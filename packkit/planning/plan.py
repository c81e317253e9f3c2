"""Planning: from lengths to the bins that samples go into.

`plan_packs` gives what naive First-Fit-Decreasing gives, sample by sample, but runs on the
histogram of lengths: a few thousand steps whatever the number of samples, then one counting sort
that deals them. `plan_histogram` stops before the dealing. Time O(samples + capacity); memory
beside the input 8 bytes a sample (16 from 2^31 samples on) and 8 a bin; where images are limited,
also 8 for each number of images up to the largest.

``fill`` looks for patterns of lengths that sum to the capacity exactly. It needs fewer packs where
samples are of like size, such as captions, promises nothing against First-Fit-Decreasing, and
knows no limit but the capacity. ``best`` takes whichever needs fewer packs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from packkit.base.errors import InputError, LengthError
from packkit.base.pack_options import ALGORITHM, LARGEST_CAPACITY, Algorithm
from packkit.base.values import LARGEST_COUNT, check_whole
from packkit_kernels.bounds import bin_lower_bound
from packkit_kernels.dealing import deal_samples
from packkit_kernels.ffd import place_first_fit
from packkit_kernels.fill import place_exact_fill
from packkit_kernels.groups import (
    Groups,
    count_values,
    group_by_images,
    group_by_length,
    sort_samples,
)
from packkit_kernels.placements import count_bins


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HistogramPlan:
    """The figures of a plan, known from the number of samples of each length.

    Attributes:
        counts: int64 [capacity+1], number of samples of 0, 1, ... tokens.
        capacity: Tokens that a bin holds at most.
        max_images: Images that a bin holds at most; None is no limit.
        max_samples: Samples that a bin holds at most; None is no limit.
        algorithm: Planner that made the plan, ``ffd`` or ``fill``; the better one for ``best``.
        packs: Number of bins used.
        lower_bound: Packs that any packing of these samples must use at least.
    """

    counts: NDArray[np.int64]
    capacity: int
    max_images: int | None = None
    max_samples: int | None = None
    algorithm: Algorithm
    packs: int
    lower_bound: int

    @property
    def samples(self) -> int:
        """Number of samples."""
        return int(self.counts.sum())

    @property
    def tokens(self) -> int:
        """Sum of all lengths."""
        return int(self.counts @ np.arange(len(self.counts)))

    @property
    def efficiency(self) -> float:
        """Used tokens / (packs x capacity), in [0, 1]; 1 where there are no packs."""
        return self.tokens / (self.packs * self.capacity) if self.packs else 1.0

    @property
    def gap(self) -> float:
        """(packs - lower bound) / lower bound; 0 where there are no packs."""
        return (self.packs - self.lower_bound) / self.lower_bound if self.packs else 0.0

    @property
    def fill_packs(self) -> int | None:
        """Packs that ``fill`` needs; None where a limit is set that it does not know.

        Planned anew at every call: milliseconds at a capacity of some thousand tokens.
        """
        if self.max_images is not None or self.max_samples is not None:
            return None
        groups = group_by_length(self.counts)
        return count_bins(place_exact_fill(groups.lengths, groups.counts, self.capacity))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackPlan(HistogramPlan):
    """Which samples go into which bin: ``plan[i]`` holds the indices of the samples in bin i.

    Attributes:
        sample_order: int32 [n] (int64 from 2^31 samples on), sample indices bin by bin, in order
            of placement.
        bin_offsets: int64 [packs+1], where the samples of each bin start in `sample_order`.
    """

    sample_order: NDArray[np.signedinteger[Any]]
    bin_offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return self.packs

    def __getitem__(self, index: int) -> NDArray[np.signedinteger[Any]]:
        if not 0 <= index < self.packs:
            raise IndexError(f"bin must be in 0..{self.packs - 1}, got {index}")
        return self.sample_order[self.bin_offsets[index] : self.bin_offsets[index + 1]]


def plan_packs(
    lengths: ArrayLike,
    *,
    capacity: int,
    algorithm: Algorithm = ALGORITHM,
    images: ArrayLike | None = None,
    max_images: int | None = None,
    max_samples: int | None = None,
) -> PackPlan:
    """Plans which samples go into which bin.

    ``ffd`` is exactly First-Fit-Decreasing: samples are placed longer first; where images are
    limited, then those with more images first; then in the order given. Each goes into the first
    bin where tokens, images and samples fit.

    Args:
        lengths: Integer [n], tokens of each sample, each in 1..capacity.
        capacity: Tokens that a bin holds at most.
        algorithm: Planner to use: ``ffd``; ``fill``, which takes neither `max_images` nor
            `max_samples`; or ``best``: ``fill`` where it may be used and needs fewer packs, else
            ``ffd``.
        images: Integer [n], images of each sample, each in 0..max_images; ignored without
            `max_images`.
        max_images: Images that a bin holds at most.
        max_samples: Samples that a bin holds at most.

    Raises:
        LengthError: A length is out of range; the error names its index.
        InputError: Another argument is not legal.

    >>> plan = plan_packs([3, 5, 7, 2], capacity=10)
    >>> [indices.tolist() for indices in plan]
    [[2, 0], [1, 3]]
    >>> plan.efficiency, plan.lower_bound
    (0.85, 2)
    """
    _check_options(capacity, algorithm, max_images, max_samples)
    tokens = _integers("lengths", lengths)
    if (index := _first_outside(tokens, 1, capacity)) is not None:
        raise LengthError(index, int(tokens[index]), capacity)
    counts = count_values(tokens, capacity + 1)
    bound = max(bin_lower_bound(counts, capacity), _ceil_div(len(tokens), max_samples))
    if max_images is None:
        order = sort_samples(tokens, counts)
        groups = group_by_length(counts)
    else:
        image_counts = _image_counts(images, max_images, len(tokens))
        bound = max(bound, _ceil_div(int(image_counts.sum(dtype=np.int64)), max_images))
        order = sort_samples(tokens, counts, image_counts)
        groups = group_by_images(tokens, image_counts, order)
    used, placements = _place(groups, capacity, algorithm, max_images, max_samples)
    sample_order, bin_offsets = deal_samples(placements, groups.starts, order)
    return PackPlan(
        counts=counts,
        capacity=capacity,
        max_images=max_images,
        max_samples=max_samples,
        algorithm=used,
        packs=len(bin_offsets) - 1,
        lower_bound=bound,
        sample_order=sample_order,
        bin_offsets=bin_offsets,
    )


def plan_histogram(
    counts: ArrayLike, *, capacity: int, algorithm: Algorithm = ALGORITHM
) -> HistogramPlan:
    """Returns the figures of a plan from the number of samples of each length.

    The cost does not depend on the number of samples.

    Args:
        counts: Integer [k], k at most capacity + 1, number of samples of 0, 1, ... tokens; there
            can be none of 0 tokens.
        capacity: Tokens that a bin holds at most.
        algorithm: Planner to use: ``ffd``, ``fill`` or ``best``.

    Raises:
        InputError: An argument is not legal.

    >>> ten_billion = [0, 0, 0, 10**10]
    >>> plan_histogram(ten_billion, capacity=10).packs
    3333333334
    """
    _check_options(capacity, algorithm, None, None)
    given = _integers("counts", counts)
    if len(given) > capacity + 1:
        raise InputError(f"counts must be at most capacity + 1 = {capacity + 1}, got {len(given)}")
    if (index := _first_outside(given, 0, np.iinfo(np.int64).max)) is not None:
        raise InputError(f"counts[{index}] must not be negative, got {given[index]}")
    if given[:1].any():
        raise InputError(f"counts[0] must be 0: every sample has a token, got {given[0]}")
    padded = np.zeros(capacity + 1, np.int64)
    padded[: len(given)] = given
    used, placements = _place(group_by_length(padded), capacity, algorithm, None, None)
    return HistogramPlan(
        counts=padded,
        capacity=capacity,
        algorithm=used,
        packs=count_bins(placements),
        lower_bound=bin_lower_bound(padded, capacity),
    )


def _place(
    groups: Groups,
    capacity: int,
    algorithm: Algorithm,
    max_images: int | None,
    max_samples: int | None,
) -> tuple[Algorithm, NDArray[np.void]]:
    """Returns the algorithm that is used, and its placements."""
    if algorithm == "fill":
        return "fill", place_exact_fill(groups.lengths, groups.counts, capacity)
    # A limit beyond what any bin can hold is none, and the kernel pays for limits on images.
    most_images = int((groups.images * capacity // groups.lengths).max(initial=0))
    placements: NDArray[np.void] = place_first_fit(
        groups.lengths,
        groups.images,
        groups.counts,
        capacity,
        min(max_images or 0, most_images),
        min(max_samples or capacity, capacity),
    )
    if algorithm == "best" and max_images is None and max_samples is None:
        filled = place_exact_fill(groups.lengths, groups.counts, capacity)
        if count_bins(filled) < count_bins(placements):
            return "fill", filled
    return "ffd", placements


def _ceil_div(total: int, most: int | None) -> int:
    return 0 if most is None else -(-total // most)


def _check_options(
    capacity: int, algorithm: str, max_images: int | None, max_samples: int | None
) -> None:
    limits = {"max_images": max_images, "max_samples": max_samples}
    given = {name: limit for name, limit in limits.items() if limit is not None}
    for name, limit in {"capacity": capacity, **given}.items():
        # Greater limits than a bin holds samples are none, and size nothing.
        check_whole(name, limit, 1, LARGEST_CAPACITY if name == "capacity" else LARGEST_COUNT)
    if algorithm not in get_args(Algorithm):
        raise InputError(
            f"algorithm must be one of {', '.join(get_args(Algorithm))}, got {algorithm!r}"
        )
    if algorithm == "fill" and given:
        raise InputError(f"algorithm fill does not take {' or '.join(given)}; use ffd or best")


def _integers(name: str, values: ArrayLike) -> NDArray[Any]:
    """Returns values as an array that the kernels take; no copy where it is one already."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise InputError(f"{name} must be 1-dimensional, got shape {array.shape}")
    if array.size == 0:
        return array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise InputError(f"{name} must be integers, got {array.dtype}")
    return np.ascontiguousarray(array, array.dtype.newbyteorder("="))


def _first_outside(values: NDArray[Any], least: int, most: int) -> int | None:
    """Returns the index of the first value that is not in least..most."""
    if not len(values) or (values.min() >= least and values.max() <= most):
        return None
    return int(np.argmax((values < least) | (values > most)))


def _image_counts(images: ArrayLike | None, max_images: int, samples: int) -> NDArray[Any]:
    if images is None:
        raise InputError("max_images needs images, the number of images of each sample")
    counts = _integers("images", images)
    if len(counts) != samples:
        raise InputError(f"images must be as many as lengths, got {len(counts)} and {samples}")
    if (index := _first_outside(counts, 0, max_images)) is not None:
        raise InputError(f"images[{index}] must be in 0..{max_images}, got {counts[index]}")
    return counts
