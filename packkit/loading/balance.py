"""Dealing the packs of one step to ranks so that none waits long for another.

Packs hold nearly equal numbers of tokens, but not of images, which the vision encoder pays for, nor
of sum(length^2), which attention pays for. Which packs a step holds is not changed, nor how many of
them a rank gets. Every rank must come to the same deal, whatever its processor: all sums are of
whole numbers. Cost: O(packs x ranks) for the first deal, then O(packs^2 / ranks) for each exchange.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# The sum of each kind of cost in whole numbers. Squares of loads stay below 2^48.
_WHOLE = 1 << 24

# A step of 64 packs on 8 ranks takes some 50; after these, ranks of 1,024 on 128 differ by 2 %.
_EXCHANGES = 256


def deal_evenly(costs: NDArray[np.int64], sizes: Sequence[int]) -> list[NDArray[np.int64]]:
    """Deals packs to ranks with nearly equal costs of every kind.

    1. Every kind of cost is measured in shares of its sum, so that all kinds weigh alike.
    2. The most costly pack first, each goes to the rank with room where the sum of squared loads
       grows least.
    3. While the exchange of two packs lowers that sum, the best one is made of the most loaded rank
       that has any.
    4. Where slices in order have a lower sum, they are taken.

    Args:
        costs: int64 [packs, kinds], at least 0.
        sizes: Packs that each rank gets; they add up to the packs.

    Returns:
        For each rank, int64 [its size], places of its packs, ascending.

    >>> [places.tolist() for places in deal_evenly(np.array([[9], [9], [1], [1]]), [2, 2])]
    [[0, 2], [1, 3]]
    """
    shares = np.rint(costs / np.maximum(costs.sum(axis=0), 1) * _WHOLE).astype(np.int64)
    slices = np.repeat(np.arange(len(sizes)), sizes)
    dealt = _deal_greedily(shares, np.array(sizes))
    _exchange_all(shares, dealt, len(sizes))
    owners = min(dealt, slices, key=lambda owners: _unevenness(shares, owners, len(sizes)))
    return [np.flatnonzero(owners == rank) for rank in range(len(sizes))]


def _deal_greedily(shares: NDArray[np.int64], room: NDArray[np.int64]) -> NDArray[np.int64]:
    loads = np.zeros((len(room), shares.shape[1]), np.int64)
    owners = np.empty(len(shares), np.int64)
    for pack in np.argsort(-shares.max(axis=1), kind="stable").tolist():
        growth = np.where(room > 0, loads @ shares[pack], np.iinfo(np.int64).max)
        rank = int(growth.argmin())
        owners[pack] = rank
        loads[rank] += shares[pack]
        room[rank] -= 1
    return owners


def _exchange_all(shares: NDArray[np.int64], owners: NDArray[np.int64], ranks: int) -> None:
    """Exchanges packs until no exchange helps, or often enough."""
    loads = _loads(shares, owners, ranks)
    # How many of the most loaded ranks have no exchange that helps.
    idle = 0
    for _ in range(_EXCHANGES):
        by_load = np.argsort(-(loads**2).sum(axis=1), kind="stable")
        idle = 0 if _exchange(shares, owners, loads, int(by_load[idle])) else idle + 1
        if idle == ranks:
            break


def _exchange(
    shares: NDArray[np.int64], owners: NDArray[np.int64], loads: NDArray[np.int64], rank: int
) -> bool:
    """Makes the best exchange of a pack of a rank, if it helps; says whether it did."""
    ours, theirs = np.flatnonzero(owners == rank), np.flatnonzero(owners != rank)
    if not len(ours) or not len(theirs):
        return False
    # What the rank gains by each exchange, [kinds, ours, theirs]; the other loses as much.
    gain = shares[theirs].T[:, None] - shares[ours].T[:, :, None]
    lead = (loads[rank] - loads[owners[theirs]]).T[:, None]
    change = (gain * (lead + gain)).sum(axis=0)
    our, their = np.unravel_index(change.argmin(), change.shape)
    if change[our, their] >= 0:
        return False
    loads[rank] += gain[:, our, their]
    loads[owners[theirs[their]]] -= gain[:, our, their]
    owners[ours[our]], owners[theirs[their]] = owners[theirs[their]], rank
    return True


def _unevenness(shares: NDArray[np.int64], owners: NDArray[np.int64], ranks: int) -> int:
    return int((_loads(shares, owners, ranks) ** 2).sum())


def _loads(shares: NDArray[np.int64], owners: NDArray[np.int64], ranks: int) -> NDArray[np.int64]:
    loads = np.zeros((ranks, shares.shape[1]), np.int64)
    np.add.at(loads, owners, shares)
    return loads
