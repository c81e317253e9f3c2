"""Which pack stands at which place of an epoch: a pure function of (seed, epoch, place).

Nothing is stored but the sizes of sets and shards, so that any place of any epoch is found in O(1),
or in O(shards) where whole shards change places. Several sets are interleaved evenly: of every run
of places each set has its share, give or take one.

A set is gone through pass after pass, and a pass takes every pack once. Where shares decide how
much of a set an epoch takes, its passes run on across epochs, so that no pack comes up again before
all others of its set have come up as often.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from packkit.base.errors import InputError
from packkit.base.orders import Permutation, seeded_key, seeded_order

Shuffle = Literal["global", "shards", "none"]

# Places whose packs are found at once.
_BLOCK = 256

WINDOW = 64
"""Packs among which ``shuffle="shards"`` mixes: few enough that the disk reads on sequentially."""

# Every use of a seed draws from a stream of its own.
_PACKS, _SHARDS, _WINDOWS = range(3)


class SetPlaces(NamedTuple):
    """The packs of one set that an order goes through.

    Attributes:
        packs: int64 [n], their ids, ascending.
        shard_starts: int64 [shards+1], where each shard begins in `packs`.
    """

    packs: NDArray[np.int64]
    shard_starts: NDArray[np.int64]


class EpochOrder:
    """The order of packs in every epoch.

    Args:
        sets: Packs of each set that the order goes through.
        seed: Seed of the order.
        shuffle: ``global``: any pack may stand anywhere; ``shards``: shards change places, and
            packs within a window of `WINDOW`, so that a disk reads sequentially; ``none``: as
            stored.
        shares: How much of an epoch each set gets, relative to one another. An epoch is then as
            long as it can be without taking more packs of a set than it has. By default every set
            is taken whole.

    Attributes:
        packs: Packs of an epoch.
        packs_of_set: Packs that an epoch takes from each set.

    Raises:
        InputError: A share is not positive, their number is not that of the sets, or there is no
            pack.
    """

    def __init__(
        self,
        sets: Sequence[SetPlaces],
        *,
        seed: int,
        shuffle: Shuffle,
        shares: Sequence[float] | None = None,
    ) -> None:
        sizes = [len(places.packs) for places in sets]
        self.packs_of_set = sizes if shares is None else _apportion(sizes, shares)
        self.packs = sum(self.packs_of_set)
        if not self.packs:
            raise InputError(f"an epoch must hold at least one pack, the sets give {sizes}")
        self._sets = [
            _SetOrder(places, seed, number, shuffle) for number, places in enumerate(sets)
        ]

    def __call__(
        self, epoch: int, places: NDArray[np.integer] | Sequence[int]
    ) -> NDArray[np.int64]:
        """Returns the packs at places of an epoch.

        Args:
            epoch: Number of the epoch, from 0.
            places: int [k], each in 0..packs-1.

        Returns:
            int64 [k], ids of packs.
        """
        wanted = np.asarray(places, np.int64)
        packs = np.empty(len(wanted), np.int64)
        for number, (mine, drawn) in enumerate(_interleave(wanted, self.packs_of_set)):
            if len(mine):
                draws = epoch * self.packs_of_set[number] + drawn
                packs[mine] = self._sets[number].at(draws)
        return packs


class _SetOrder:
    """The packs of one set in order, pass after pass."""

    def __init__(self, places: SetPlaces, seed: int, number: int, shuffle: Shuffle) -> None:
        self._places = places
        self._seed = seed
        self._number = number
        self._shuffle = shuffle

    def at(self, draws: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the packs of draws that are counted from the beginning of training."""
        passes, places = np.divmod(draws, len(self._places.packs))
        members = np.empty(len(draws), np.int64)
        for number in np.unique(passes).tolist():
            in_pass = passes == number
            members[in_pass] = self._members(number, places[in_pass])
        return self._places.packs[members]

    def _members(self, number: int, places: NDArray[np.int64]) -> NDArray[np.int64]:
        if self._shuffle == "none":
            return places
        count = len(self._places.packs)
        if self._shuffle == "global":
            key = seeded_key(self._seed, self._number, _PACKS, number)
            return Permutation(count, key)(places)
        order, starts = self._shard_order(number)
        places = self._mix_windows(number, places, count)
        nth = np.searchsorted(starts, places, side="right") - 1
        return self._places.shard_starts[order[nth]] + places - starts[nth]

    def _shard_order(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Returns the shards in the order of a pass, and where each begins in it."""
        sizes = np.diff(self._places.shard_starts)
        order = seeded_order(len(sizes), self._seed, self._number, _SHARDS, number)
        return order, np.concatenate([[0], np.cumsum(sizes[order])])

    def _mix_windows(self, number: int, places: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        mixed = np.empty_like(places)
        windows = places // WINDOW
        for window in np.unique(windows).tolist():
            inside, first = windows == window, window * WINDOW
            size = min(WINDOW, count - first)
            order = seeded_order(size, self._seed, self._number, _WINDOWS, number, window)
            mixed[inside] = first + order[places[inside] - first]
        return mixed


def _apportion(sizes: Sequence[int], shares: Sequence[float]) -> list[int]:
    """Returns how many packs of each set an epoch takes, none of them twice."""
    if len(shares) != len(sizes) or not all(0 < share < float("inf") for share in shares):
        raise InputError(f"shares must be {len(sizes)} positive numbers, got {list(shares)}")
    total = min(size / share for size, share in zip(sizes, shares, strict=True))
    # Slightly more, so that 1/3 of 3 packs is one of them.
    return [int(share * total + 1e-6) for share in shares]


def _interleave(
    places: NDArray[np.int64], counts: Sequence[int]
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Deals the places of an epoch to sets as evenly as whole numbers allow.

    The first set gets every place at which its due, place x count / total, passes a whole number;
    what is left over is dealt to the other sets in the same way.

    Args:
        places: int64 [k].
        counts: Places of the epoch that each set gets.

    Returns:
        For each set, which of `places` are its own, and the number of each among its own of the
        epoch.
    """
    dealt: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    left, rest, total = np.arange(len(places)), places, sum(counts)
    for count in counts:
        before = rest * count // max(total, 1)
        is_mine = (rest + 1) * count // max(total, 1) > before
        dealt.append((left[is_mine], before[is_mine]))
        left, rest = left[~is_mine], (rest - before)[~is_mine]
        total -= count
    return dealt


class CachedOrder:
    """An order whose packs are found by blocks of places: many cost little more than one.

    Args:
        order: Order to cache.
    """

    def __init__(self, order: EpochOrder) -> None:
        self._order = order
        self._blocks: dict[tuple[int, int], list[int]] = {}

    def packs_at(self, epoch: int, places: range) -> list[int]:
        """Returns the packs at places of an epoch."""
        packs: list[int] = []
        for number in range(places.start // _BLOCK, -(-places.stop // _BLOCK)):
            first = number * _BLOCK
            block = self._block(epoch, number)
            packs += block[max(0, places.start - first) : max(0, places.stop - first)]
        return packs

    def _block(self, epoch: int, number: int) -> list[int]:
        if (epoch, number) not in self._blocks:
            first = number * _BLOCK
            places = range(first, min(first + _BLOCK, self._order.packs))
            # Two are kept, for a step can lie across the end of one.
            last = dict(list(self._blocks.items())[-1:])
            self._blocks = {**last, (epoch, number): self._order(epoch, places).tolist()}
        return self._blocks[epoch, number]
