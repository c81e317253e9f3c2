"""Dealing the packs of one step to ranks so that none waits long for another.

Packs hold nearly equal numbers of tokens, but not of images, which the vision encoder pays for, nor
of sum(length^2), which attention pays for. Which packs a step holds is not changed, nor how many of
them a rank gets. Cost: O(packs x ranks) for the first deal, then as much for each exchange.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["deal_evenly"]


def deal_evenly(costs: NDArray[np.int64], sizes: Sequence[int]) -> list[NDArray[np.int64]]:
    """Deals packs to ranks with nearly equal costs of every kind.

    1. Every kind of cost is measured in shares of its sum, so that all kinds weigh alike.
    2. The dearest pack first, each goes to the rank with room where the sum of squared loads grows
       least.
    3. While the exchange of two packs lowers that sum, the best exchange with the most loaded rank
       is made.

    Args:
        costs: int64 [packs, kinds], at least 0.
        sizes: packs that each rank gets; they add up to the packs.

    Returns:
        For each rank, int64 [its size], places of its packs, ascending.

    >>> [places.tolist() for places in deal_evenly(np.array([[9], [9], [1], [1]]), [2, 2])]
    [[0, 2], [1, 3]]
    """
    shares = costs / np.maximum(costs.sum(axis=0), 1)
    owners = _deal_greedily(shares, np.array(sizes))
    # Each exchange lowers the sum, so this ends; packs are few, and a bound keeps a step cheap.
    for _ in range(len(costs)):
        if not _exchange(shares, owners, len(sizes)):
            break
    return [np.flatnonzero(owners == rank) for rank in range(len(sizes))]


def _deal_greedily(shares: NDArray[np.float64], room: NDArray[np.int64]) -> NDArray[np.int64]:
    loads = np.zeros((len(room), shares.shape[1]))
    owners = np.empty(len(shares), np.int64)
    for pack in np.argsort(-shares.max(axis=1), kind="stable").tolist():
        growth = np.where(room > 0, loads @ shares[pack], np.inf)
        rank = int(growth.argmin())
        owners[pack] = rank
        loads[rank] += shares[pack]
        room[rank] -= 1
    return owners


def _exchange(shares: NDArray[np.float64], owners: NDArray[np.int64], ranks: int) -> bool:
    """Exchanges two packs if that helps; says whether it did."""
    loads = np.zeros((ranks, shares.shape[1]))
    np.add.at(loads, owners, shares)
    worst = int((loads**2).sum(axis=1).argmax())
    ours, theirs = np.flatnonzero(owners == worst), np.flatnonzero(owners != worst)
    if not len(ours) or not len(theirs):
        return False
    # What the worst rank gains by each exchange, [ours, theirs, kinds]; the other loses as much.
    gain = shares[theirs][None] - shares[ours][:, None]
    others = loads[owners[theirs]][None]
    change = (gain * (loads[worst] - others + gain)).sum(axis=2)
    best = int(change.argmin())
    if change.flat[best] >= -1e-12:
        return False
    our, their = ours[best // len(theirs)], theirs[best % len(theirs)]
    owners[our], owners[their] = owners[their], worst
    return True
