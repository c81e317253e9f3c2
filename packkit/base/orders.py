"""Orders that a seed alone decides, and nothing that a library may change.

Everything is built on splitmix64 (Steele, Lea and Flood, OOPSLA 2014). `seeded_order` sorts hashes,
O(n log n); `Permutation` gives any place of an order of its own in O(1), so that a loader can start
anywhere in an epoch of any size at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Split = Literal["train", "validation"]

_STEP = np.uint64(0x9E3779B97F4A7C15)

# Each round changes one half of a number by the other; four would do for a cipher of this kind to
# look random, small domains want more.
_ROUNDS = 8

# Which packs are held out must not depend on the seed of a run.
_HELD_OUT = 0x5EED


def hashes(n: int, key: int) -> NDArray[np.uint64]:
    """Returns the first n outputs of splitmix64.

    Args:
        n: Number of hashes.
        key: Where it starts, as `seeded_key` gives it.

    Returns:
        uint64 [n].
    """
    return _mix(np.uint64(key) + _STEP * np.arange(1, n + 1, dtype=np.uint64))


def hash_keys(keys: NDArray[np.uint64], key: int) -> NDArray[np.uint64]:
    """Returns a hash of every number: equal ones get the same, different ones never do.

    Args:
        keys: uint64 [n].
        key: Key of the hash, as `seeded_key` gives it.

    Returns:
        uint64 [n].
    """
    return _mix(keys ^ np.uint64(key))


def seeded_key(seed: int, *streams: int) -> int:
    """Returns the key of one use of a seed.

    Args:
        seed: The user's seed.
        streams: Numbers that tell apart the uses of one seed.

    >>> seeded_key(7, 0) == seeded_key(7, 1)
    False
    """
    key = _mix(np.array([seed % 2**64], np.uint64))
    for stream in streams:
        key = _mix(key + np.uint64(stream))
    return int(key[0])


def seeded_order(n: int, seed: int, *streams: int) -> NDArray[np.int64]:
    """Returns a permutation of 0..n-1 that only the arguments decide.

    Args:
        n: Number of things to order.
        seed: The user's seed.
        streams: Numbers that tell apart several orders of one seed.

    Returns:
        int64 [n].

    >>> sorted(seeded_order(5, 1, 0).tolist())
    [0, 1, 2, 3, 4]
    """
    return np.argsort(hashes(n, seeded_key(seed, *streams)), kind="stable")


def hold_out(packs: int, fraction: float, split: Split) -> NDArray[np.int64]:
    """Returns the numbers of the packs of a set that belong to a split.

    A pack is held out by the hash of its number: whatever the seed of a run, its ranks or its
    shuffle, the same packs are, and a larger fraction holds out the same ones and more.

    Args:
        packs: Packs of the set.
        fraction: About how much of it is held out, in [0, 1).
        split: ``train``, or ``validation`` for what is held out.

    Returns:
        int64 [n], ascending.

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
    """A permutation of 0..n-1 of which any place can be asked for, without a table.

    A Feistel network of eight rounds over the smallest domain of 2^b numbers, at least 64, that
    holds n. Where it leads outside of 0..n-1 it is followed on until it is back (Black and Rogaway,
    CT-RSA 2002), which takes less than two steps on average once n is over 32.

    Args:
        n: Numbers to permute.
        key: Key of the permutation, as `seeded_key` gives it.

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
            places: int [k], each in 0..n-1.

        Returns:
            int64 [k].
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
