"""How the packs of each step are dealt to ranks: a pure function of where the step begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from packkit.loading.balance import deal_evenly
from packkit.loading.batch import FILLER
from packkit.loading.cursor import Cursor, Steps
from packkit.loading.options import SamplerOptions
from packkit.loading.order import CachedOrder, EpochOrder
from packkit.loading.sets import PackSets


class Dealer:
    """Deals the packs of an epoch's order to steps and ranks.

    Args:
        order: Order of packs in every epoch.
        sets: Sets of the packs, which know what each costs.
        options: Options of the sampler.
        world_size: Number of ranks.

    Attributes:
        steps: How an epoch falls into steps.
    """

    def __init__(
        self, order: EpochOrder, sets: PackSets, options: SamplerOptions, world_size: int
    ) -> None:
        self.steps = Steps(order.packs, options.packs_per_step, options.tail)
        self._order = CachedOrder(order)
        self._sets = sets
        self._balance = options.balance
        count = options.packs_per_step
        self._edges = [count * rank // world_size for rank in range(world_size + 1)]

    def cursors(
        self, start: Cursor, first: int = 0, stride: int = 1
    ) -> Iterator[tuple[Cursor, Cursor]]:
        """Yields where steps begin and end, to the end of their epoch.

        Args:
            start: Where the first step begins.
            first: Number of steps that are left out.
            stride: Distance from one step yielded to the next.
        """
        for number in range(first, self.steps.left(start.position), stride):
            position = start.position + number * self.steps.packs_per_step
            cursor = Cursor(start.epoch, start.step + number, position)
            packs = len(self.steps.places(cursor))
            yield cursor, Cursor(start.epoch, cursor.step + 1, position + packs)

    def deal(self, cursor: Cursor, ranks: Sequence[int]) -> list[list[int]]:
        """Returns the packs that the step at a cursor has for each of some ranks."""
        places, count = self.steps.places(cursor), self.steps.packs_per_step
        if self._balance:
            # Every rank deals all packs of the step, and so all come to the same result.
            packs = self._order.packs_at(cursor.epoch, places)
            packs += [FILLER] * (count - len(packs))
            slices = deal_evenly(self._sets.costs(packs), np.diff(self._edges).tolist())
            return [[packs[place] for place in slices[rank].tolist()] for rank in ranks]
        dealt = []
        for first, last in ((self._edges[rank], self._edges[rank + 1]) for rank in ranks):
            packs = self._order.packs_at(cursor.epoch, places[first:last])
            dealt.append(packs + [FILLER] * (last - first - len(packs)))
        return dealt
