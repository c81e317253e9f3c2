"""Which packs each rank takes at each step, exactly once, from any place on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, Unpack

import numpy as np
import torch.distributed
from torch.utils.data import Sampler

from packkit.base.errors import FingerprintError, InputError
from packkit.base.values import is_whole, shown
from packkit.ledger import LedgerStart
from packkit.loading.balance import deal_evenly
from packkit.loading.batch import FILLER
from packkit.loading.cursor import (
    STATE_VERSION,
    Cursor,
    Step,
    Steps,
    check_place,
    plain_fingerprint,
    read_cursor,
)
from packkit.loading.dataset import PackDataset
from packkit.loading.launcher import check_launched
from packkit.loading.options import Rank, SamplerKeywords, SamplerOptions, resolve_options
from packkit.loading.order import CachedOrder, EpochOrder

_Made = TypeVar("_Made")


class PackSampler(Sampler[list[int]]):
    """Deals the packs of a dataset to steps and ranks; a ``batch_sampler`` for a ``DataLoader``.

    A step takes the next `packs_per_step` packs of the epoch's order, over all ranks, and each rank
    a slice of them; slices differ by at most one pack. The order depends on seed and epoch alone,
    so a state can be loaded with another number of ranks, threads or packs a step: no pack is lost
    and none comes twice. All ranks make the same number of steps.

    It is a cursor: iterating goes on to the end of the epoch from where it stands, and the next
    iteration takes the next epoch. A ``DataLoader`` with workers asks ahead of what it hands out,
    so there the cursor stands further on than training; a ``StatefulDataLoader`` saves the right
    one.

    Args:
        dataset: Packs to deal.
        options: Options, see `SamplerOptions`; they may be given as keywords, too.

    Attributes:
        options: The options.
        order: Order of packs in every epoch.
        rank: Number of this process, or ``all``.
        world_size: Number of ranks.

    Raises:
        InputError: An option is not legal.
    """

    def __init__(
        self,
        dataset: PackDataset,
        options: SamplerOptions | None = None,
        **keywords: Unpack[SamplerKeywords],
    ) -> None:
        self.options = options = resolve_options(SamplerOptions, options, {**keywords})
        self.rank, self.world_size = _this_process(options.rank, options.world_size)
        if options.packs_per_step < self.world_size:
            raise InputError(
                f"packs_per_step must be at least world_size {self.world_size}, "
                f"got {options.packs_per_step}"
            )
        self._dataset = dataset
        self._ranks = [*range(self.world_size)] if self.rank == "all" else [self.rank]
        self._is_dealt_out = False
        places = dataset.sets.places(options.split, options.validation_fraction)
        self.order = EpochOrder(
            places, seed=options.seed, shuffle=options.shuffle, shares=options.shares
        )
        if options.tail == "drop" and options.packs_per_step > self.order.packs:
            raise InputError(
                f"packs_per_step must be at most the {self.order.packs} packs of an epoch "
                f"where the tail is dropped, got {options.packs_per_step}"
            )
        self._steps = Steps(self.order.packs, options.packs_per_step, options.tail)
        self._cached = CachedOrder(self.order)
        self._cursor = Cursor(0, 0, 0)
        # Where the iteration under way began, in places.
        self._first = 0
        self._is_exhausted = False

    @property
    def cursor(self) -> Cursor:
        """Where the next step begins."""
        return self._cursor

    @property
    def epoch(self) -> int:
        """Number of the epoch that the next step belongs to."""
        return self._cursor.epoch

    @property
    def position(self) -> int:
        """Places of the epoch's order that are consumed."""
        return self._cursor.position

    def __len__(self) -> int:
        """Returns the steps of this iteration, or of the next where none is under way.

        The same on all ranks. A whole epoch's, unless a state was loaded that stands inside one.
        With the rank ``all``, as many times the number of ranks.
        """
        return self._steps.left(self._first) * len(self._ranks)

    def __iter__(self) -> Iterator[list[int]]:
        """Yields the packs of each step of this rank, from the cursor to the end of its epoch.

        With the rank ``all``, those of each rank in turn; a step is taken once the last has its
        own.

        Raises:
            InputError: The rank is ``all``, and nothing deals the batches out.
        """
        if len(self._ranks) > 1 and not self._is_dealt_out:
            raise InputError(
                f'rank "all" gives the batches of all {self.world_size} ranks to each: pass the '
                "DataLoader through accelerator.prepare, with dispatch_batches=False, or leave "
                "rank out"
            )
        # Only here: a StatefulDataLoader that was stopped after the last step of an epoch expects
        # no more of that epoch, and the next one of its next iteration.
        if self._is_exhausted:
            self._move(self._steps.rolled(self._cursor))
        self._is_exhausted = False
        for cursor, end in self._cursors():
            *others, last = self._deal(cursor)
            yield from others
            self._cursor = end
            yield last
        self._is_exhausted = True
        self._first = 0

    def steps(self, *, first: int = 0, stride: int = 1) -> Iterator[Step]:
        """Yields steps from the cursor to the end of its epoch without moving it.

        Args:
            first: Number of steps after the cursor that are left out.
            stride: Distance from one step yielded to the next.

        Raises:
            InputError: The rank is ``all``.
        """
        place = self._ranks.index(self.single_rank)
        for cursor, end in self._cursors(first, stride):
            yield Step(cursor, end, self._deal(cursor)[place])

    @property
    def single_rank(self) -> int:
        """Number of this process, where the sampler is that of one.

        Raises:
            InputError: The rank is ``all``.
        """
        if isinstance(self.rank, str):
            raise InputError('rank must be a number or None; "all" is for PackSampler alone')
        return self.rank

    @property
    def batch_size(self) -> int:
        """Not there: who asks a batch sampler for it deals its batches out to ranks.

        Raises:
            AttributeError: There is one process, or the rank is ``all``.
            InputError: The sampler deals packs to ranks, which would then be done twice.
        """
        if self.rank != "all" and max(self.world_size, (_group() or (0, 1))[1]) > 1:
            raise InputError(
                "PackSampler deals packs to ranks by itself, and somebody is about to do it again: "
                'for accelerate make it with rank="all", or leave its DataLoader out of '
                "accelerator.prepare; in Lightning set use_distributed_sampler=False"
            )
        self._is_dealt_out = True
        raise AttributeError("the batches of a PackSampler may differ in size")

    def consume(
        self,
        make: Callable[[Iterator[Step]], Iterator[tuple[Step, _Made]]],
        note: Callable[[LedgerStart, Step, Cursor, _Made], None],
    ) -> Iterator[_Made]:
        """Yields what is made of each step to the end of the epoch; what is yielded is consumed.

        Args:
            make: Makes something of steps, in their order; it may be ahead of what is yielded.
            note: Takes the run, were it to start at this step, the step, where training stands
                afterwards, and what was made, before the step counts as consumed.
        """
        # Before the cursor moves on, or a ledger would not know what a resume drops.
        start = self.ledger_start()
        self._move(self._steps.rolled(self._cursor))
        for step, made in make(self.steps()):
            after = self._steps.rolled(step.end)
            note(start, step, after, made)
            self._move(step.end)
            self._move(after)
            start = self.ledger_start()
            yield made

    def set_epoch(self, epoch: int) -> None:
        """Moves the cursor to the beginning of an epoch; inside that epoch it stays where it is.

        Raises:
            InputError: The epoch is no whole number in 0..2^31-1.
        """
        epoch = check_place("epoch", epoch)
        if epoch != self._cursor.epoch:
            self.go_to(Cursor(epoch, 0, 0))

    def go_to(self, cursor: Cursor) -> None:
        """Moves the cursor; the next iteration begins there."""
        self._cursor, self._first, self._is_exhausted = cursor, cursor.position, False

    def state_dict(self) -> dict[str, Any]:
        """Returns what `load_state_dict` takes: a few numbers, and what they must be used with."""
        return self._state(self._cursor)

    def state_at(self, cursor: Cursor) -> dict[str, Any]:
        """Returns the state once training has come to a cursor, at the end of an epoch the next."""
        return self._state(self._steps.rolled(cursor))

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What must be the same when a state is loaded, by name."""
        options = self.options
        return {
            "seed": options.seed,
            "shuffle": options.shuffle,
            "shares": None if options.shares is None else list(options.shares),
            "split": options.split,
            "validation_fraction": options.validation_fraction,
            **self._dataset.fingerprint,
        }

    def ledger_start(self) -> LedgerStart:
        """Returns what a ledger says of a run that starts at the cursor."""
        options = self.options
        return LedgerStart(
            epoch=self.epoch,
            position=self.position,
            world_size=self.world_size,
            packs_per_step=options.packs_per_step,
            tail=options.tail,
            packs_of_set=self.order.packs_of_set,
            has_shares=options.shares is not None,
            split=options.split,
            validation_fraction=options.validation_fraction,
            contents=self._dataset.sets.contents,
        )

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where a state was saved. Ranks, packs a step and tail may be others.

        Raises:
            InputError: The mapping is no state of a loader, or of another version.
            FingerprintError: The state was saved with other packs, another order or other pixels.
        """
        cursor = read_cursor(state)
        saved = plain_fingerprint(state["fingerprint"])
        own_values = plain_fingerprint(self.fingerprint)
        differences = [
            f"{name} is {shown(saved.get(name))} in the state, {own_values.get(name)!r} here"
            for name in sorted(saved.keys() | own_values.keys())
            if saved.get(name) != own_values.get(name)
        ]
        if differences:
            raise FingerprintError("the state was saved with another loader", differences)
        if cursor.position > self.order.packs:
            raise InputError(f"position must stand in 0..{self.order.packs}, got {cursor}")
        self.go_to(cursor)

    def _move(self, cursor: Cursor) -> None:
        """Moves the cursor; in another epoch the next iteration begins at its beginning."""
        if cursor.epoch != self._cursor.epoch:
            self._first = 0
        self._cursor = cursor

    def _state(self, cursor: Cursor) -> dict[str, Any]:
        return {
            "version": STATE_VERSION,
            **cursor._asdict(),
            "packs_per_step": self.options.packs_per_step,
            "tail": self.options.tail,
            "fingerprint": self.fingerprint,
        }

    def _cursors(self, first: int = 0, stride: int = 1) -> Iterator[tuple[Cursor, Cursor]]:
        """Yields where steps begin and end, from the cursor to the end of its epoch."""
        start = self._cursor
        self._first = start.position
        for number in range(first, self._steps.left(start.position), stride):
            position = start.position + number * self.options.packs_per_step
            cursor = Cursor(start.epoch, start.step + number, position)
            packs = len(self._steps.places(cursor))
            yield cursor, Cursor(start.epoch, cursor.step + 1, position + packs)

    def _deal(self, cursor: Cursor) -> list[list[int]]:
        """Returns the packs that the step at a cursor has for this rank, or for each of all."""
        places, count = self._steps.places(cursor), self.options.packs_per_step
        edges = [count * rank // self.world_size for rank in range(self.world_size + 1)]
        if self.options.balance:
            # Every rank deals all packs of the step, and so all come to the same result.
            packs = self._cached.packs_at(cursor.epoch, places)
            packs += [FILLER] * (count - len(packs))
            slices = deal_evenly(self._dataset.sets.costs(packs), np.diff(edges).tolist())
            return [[packs[place] for place in slices[rank].tolist()] for rank in self._ranks]
        dealt = []
        for first, last in ((edges[rank], edges[rank + 1]) for rank in self._ranks):
            packs = self._cached.packs_at(cursor.epoch, places[first:last])
            dealt.append(packs + [FILLER] * (last - first - len(packs)))
        return dealt


def _this_process(rank: Rank | None, world_size: int | None) -> tuple[Rank, int]:
    """Returns rank and number of ranks, as given or as torch.distributed knows them."""
    if rank != "all" and (rank is None) != (world_size is None):
        raise InputError(f"rank and world_size go together, got {rank} and {world_size}")
    if world_size is None:
        if (number_and_size := _group()) is not None:
            return rank or number_and_size[0], number_and_size[1]
        # Without this, a loader made too early would have every rank read the same packs.
        check_launched(1, "initialize torch.distributed first, give rank and world_size")
        return rank or 0, 1
    if not (rank == "all" or is_whole(rank, 0, world_size - 1)):
        raise InputError(f"rank must be in 0..world_size-1, got {rank} of {world_size}")
    return rank, world_size  # type: ignore[return-value]


def _group() -> tuple[int, int] | None:
    """Returns rank and number of ranks of torch.distributed, where that is initialized."""
    distributed = torch.distributed
    is_started = distributed.is_available() and distributed.is_initialized()
    return (distributed.get_rank(), distributed.get_world_size()) if is_started else None
