"""Orders that depend on a seed alone, and not on the version of any library.

Everything is built on splitmix64 (Steele, Lea and Flood, OOPSLA 2014). `seeded_order` sorts hashes,
O(n log n); `Permutation` computes any place of another order in O(1), so that a loader can start
anywhere in an epoch of any size at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Split = Literal["train", "validation"]

LARGEST_SEED = (1 << 63) - 1
"""Greatest seed: JSON, TOML, numpy and torch all take it as it is."""

LARGEST_STEP = 1 << 20
"""Packs that a step may have at most: at 4,096 tokens a pack, 4 billion tokens for one update."""

_STEP = np.uint64(0x9E3779B97F4A7C15)

# Each round changes one half of a number by the other. Four rounds make such a cipher look random
# on large domains; small ones need more.
_ROUNDS = 8

# Which packs are held out must not depend on the seed of a run.
_HELD_OUT = 0x5EED


def hashes(n: int, key: int) -> NDArray[np.uint64]:
    """Returns the first n outputs of splitmix64.

    Args:
        n: Number of hashes.
        key: Start of the sequence, a number from `seeded_key`.

    Returns:
        uint64 [n], the hashes in order.
    """
    return _mix(np.uint64(key) + _STEP * np.arange(1, n + 1, dtype=np.uint64))


def hash_keys(keys: NDArray[np.uint64], key: int) -> NDArray[np.uint64]:
    """Returns a hash of every number: equal ones get the same, different ones never do.

    Args:
        keys: uint64 [n], numbers to hash.
        key: Choice of the hash, a number from `seeded_key`.

    Returns:
        uint64 [n], the hash of each number.
    """
    return _mix(keys ^ np.uint64(key))


def seeded_key(seed: int, *streams: int) -> int:
    """Returns the key of one use of a seed.

    Args:
        seed: Seed that the user chose.
        streams: Numbers that distinguish the uses of one seed.

    >>> seeded_key(7, 0) == seeded_key(7, 1)
    False
    """
    key = _mix(np.array([seed % 2**64], np.uint64))
    for stream in streams:
        key = _mix(key + np.uint64(stream))
    return int(key[0])


def seeded_order(n: int, seed: int, *streams: int) -> NDArray[np.int64]:
    """Returns a permutation of 0..n-1 that depends on the arguments alone.

    Args:
        n: Length of the permutation.
        seed: Seed that the user chose.
        streams: Numbers that distinguish several orders of one seed.

    Returns:
        int64 [n], every number once.

    >>> sorted(seeded_order(5, 1, 0).tolist())
    [0, 1, 2, 3, 4]
    """
    return np.argsort(hashes(n, seeded_key(seed, *streams)), kind="stable")


def hold_out(packs: int, fraction: float, split: Split) -> NDArray[np.int64]:
    """Returns the numbers of the packs of a set that belong to a split.

    Whether a pack is held out depends on the hash of its number alone, not on the seed, ranks or
    shuffle of a run. A larger fraction holds out the same packs and more.

    Args:
        packs: Number of packs in the set.
        fraction: Share of the set that is held out, approximately, in [0, 1).
        split: ``validation`` for the packs held out, ``train`` for the others.

    Returns:
        int64 [n], numbers of the packs, ascending.

    >>> train, validation = (hold_out(1000, 0.1, split) for split in ("train", "validation"))
    >>> len(train) + len(validation), 70 < len(validation) < 130
    (1000, True)
    """
    if not fraction:
        is_held_out = np.zeros(packs, bool)
    else:
        is_held_out = hashes(packs, seeded_key(_HELD_OUT)) < np.uint64(int(fraction * 2**64))
    return np.flatnonzero(is_held_out if split == "validation" else ~is_held_out)


class Permutation:
    """A permutation of 0..n-1 that computes any of its places without a table.

    A Feistel network of eight rounds over the smallest domain of 2^b numbers, at least 64, that
    holds n. A number outside of 0..n-1 is permuted again until it is inside (Black and Rogaway,
    CT-RSA 2002), which takes less than two steps on average once n is over 32.

    Args:
        n: Size of the range to permute.
        key: Choice of the permutation, a number from `seeded_key`.

    >>> order = Permutation(10, key=3)
    >>> sorted(order(np.arange(10)).tolist())
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """

    def __init__(self, n: int, key: int) -> None:
        self._n = n
        # Halves of one or two bits have too few round functions to reach every order evenly.
        bits = max(6, (n - 1).bit_length())
        self._low_bits = np.uint64(bits // 2)
        self._masks = [np.uint64((1 << width) - 1) for width in (bits // 2, bits - bits // 2)]
        self._keys = hashes(_ROUNDS, key)

    def __call__(self, places: NDArray[np.integer] | Sequence[int]) -> NDArray[np.int64]:
        """Returns what stands at places of the order.

        Args:
            places: int [k], places of the order, each in 0..n-1.

        Returns:
            int64 [k], the number at each place.
        """
        values = self._encrypt(np.asarray(places).astype(np.uint64))
        while (outside := values >= self._n).any():
            values[outside] = self._encrypt(values[outside])
        return values.astype(np.int64)

    def _encrypt(self, values: NDArray[np.uint64]) -> NDArray[np.uint64]:
        low_mask, high_mask = self._masks
        low, high = values & low_mask, values >> self._low_bits
        for number, key in enumerate(self._keys):
            if number % 2:
                high = high ^ (_mix(low + key) & high_mask)
            else:
                low = low ^ (_mix(high + key) & low_mask)
        return (high << self._low_bits) | low


def _mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = z ^ (z >> np.uint64(31))
    return mixed
