"""Chooses the samples of a source that a mixture takes: those of the smallest hashes.

The hash is of (seed, source, sample), so the choice depends neither on the order of samples nor on
how they are cut into files, is the same every time, and a smaller count is a subset of a larger
one. Cost: O(n log n) for n samples, 24 bytes each while it runs.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from packkit.base.errors import InputError
from packkit.base.orders import hash_keys, seeded_key
from packkit.base.values import check_number, check_whole
from packkit.mixture.quantities import Quantity

Shortage = Literal["error", "all", "repeat"]
"""Treatment of a source that has less than is asked for: an error, taking all of it, or taking
it again from the start."""

# Keeps this use of the seed independent of other orders of the same seed.
_STREAM = 0x313

LARGEST_TAKE = (1 << 31) - 1
"""Samples that may be taken of one source, repeats included: their numbers take 16 GiB."""


class _Asked(NamedTuple):
    """The amount asked of a source, and the amount it has, in one unit."""

    amount: int
    available: int
    unit: str


def ranks_of(keys: NDArray[np.uint64], seed: int, source: str) -> NDArray[np.uint64]:
    """Returns the hash by which each sample is chosen.

    Args:
        keys: uint64 [n], `sample_key` of each sample.
        seed: Seed of the mixture.
        source: Name of the source.

    Returns:
        uint64 [n], equal where keys are equal and nowhere else.
    """
    name = xxhash.xxh3_64_intdigest(source.encode())
    return hash_keys(keys, seeded_key(seed, _STREAM, name))


def take(
    ranks: NDArray[np.uint64],
    lengths: NDArray[np.int32],
    quantity: Quantity,
    shortage: Shortage = "error",
) -> NDArray[np.int64]:
    """Chooses samples.

    Args:
        ranks: uint64 [n], rank of each sample, from `ranks_of`.
        lengths: int32 [n], tokens of each sample.
        quantity: Quantity to take; of tokens, as many samples as stay within it.
        shortage: Treatment of a source that has less than is asked for.

    Returns:
        int64 [k], numbers of the samples, ascending; one taken several times stands there as often.

    Raises:
        InputError: The source has less than is asked for and `shortage` is ``error``, or nothing;
            or it would give more than `LARGEST_TAKE` samples.
    """
    n, tokens = len(ranks), int(lengths.sum(dtype=np.int64))
    if quantity.kind == "repeat":
        # A half is rounded up, as people round.
        amount = n * quantity.value
        check_number("samples to take", amount, 0, LARGEST_TAKE)
        return _cycle(ranks, int(amount + 0.5))
    is_tokens = quantity.kind == "tokens"
    asked = _Asked(int(quantity.value), tokens if is_tokens else n, quantity.kind)
    amount = _within(asked, shortage)
    if not is_tokens:
        return _cycle(ranks, amount)
    cycles, rest = divmod(amount, tokens) if tokens else (0, 0)
    ends = np.cumsum(lengths[np.argsort(ranks, kind="stable")], dtype=np.int64)
    return _cycle(ranks, cycles * n + int(np.searchsorted(ends, rest, side="right")))


def _within(asked: _Asked, shortage: Shortage) -> int:
    amount, available, unit = asked
    if amount <= available:
        return amount
    if shortage == "error":
        raise InputError(
            f"{amount:,} {unit} asked for, {available:,} available after filters; "
            'shortage = "all" or "repeat" allows that'
        )
    if not available:
        raise InputError(f"{amount:,} {unit} asked for, none available after filters")
    return available if shortage == "all" else amount


def _cycle(ranks: NDArray[np.uint64], count: int) -> NDArray[np.int64]:
    """Returns `count` samples: all of them as often as they fit, then those of smallest rank."""
    n = len(ranks)
    if not n:
        return np.empty(0, np.int64)
    check_whole("samples to take", count, 0, LARGEST_TAKE)
    cycles, rest = divmod(count, n)
    first = np.argsort(ranks, kind="stable")[:rest] if rest else np.empty(0, np.int64)
    return np.sort(np.concatenate([np.repeat(np.arange(n), cycles), first]))
