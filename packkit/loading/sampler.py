"""Which packs each rank takes at each step, exactly once, from any place on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch.distributed
from torch.utils.data import Sampler

from packkit.base.errors import FingerprintError, InputError
from packkit.base.orders import Split
from packkit.ledger import LedgerStart
from packkit.loading.balance import deal_evenly
from packkit.loading.batch import FILLER
from packkit.loading.dataset import PackDataset
from packkit.loading.order import EpochOrder, Shuffle

Tail = Literal["drop", "fill"]

STATE_VERSION = 1
"""Raised when the same state would lead to other packs."""

# Places whose packs are found at once: an order costs little more for many places than for one.
_BLOCK = 256


class Cursor(NamedTuple):
    """How far training has come.

    Attributes:
        epoch: Number of the epoch, from 0.
        step: Steps made in it.
        position: Places of its order consumed.
    """

    epoch: int
    step: int
    position: int


class Step(NamedTuple):
    """One step of one rank.

    Attributes:
        start: Where the step begins.
        end: Where training stands once it is done, in the same epoch.
        packs: Ids of the packs of this rank; -1 for fillers.
    """

    start: Cursor
    end: Cursor
    packs: list[int]


@dataclass(frozen=True, slots=True)
class _Options:
    """What must be the same when a state is loaded."""

    seed: int
    shuffle: Shuffle
    shares: tuple[float, ...] | None
    split: Split
    validation_fraction: float


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
        dataset: The packs.
        packs_per_step: Packs of a step over all ranks, at least `world_size`.
        seed: Decides the order.
        rank: Of this process; by default that of ``torch.distributed``, or 0 without it.
        world_size: Number of ranks; likewise, or 1.
        shuffle: ``global``, ``shards`` (the disk is read sequentially) or ``none``; see
            `EpochOrder`.
        tail: What becomes of the packs at the end of an epoch that do not fill a step: ``fill`` it
            up with fillers, which hold nothing and have id -1, or ``drop`` them.
        balance: Whether the packs inside a step are dealt so that ranks get nearly equal numbers of
            images and sums of squared lengths; see `deal_evenly`.
        shares: How much of an epoch each set of the dataset gets; see `EpochOrder`.
        split: ``train``, or ``validation`` for the packs that are held out.
        validation_fraction: About how much of each set is held out, by hash; see `hold_out`.

    Attributes:
        order: The order of packs.

    Raises:
        InputError: An option is not legal.
    """

    def __init__(
        self,
        dataset: PackDataset,
        *,
        packs_per_step: int,
        seed: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
        shuffle: Shuffle = "global",
        tail: Tail = "fill",
        balance: bool = False,
        shares: Sequence[float] | None = None,
        split: Split = "train",
        validation_fraction: float = 0.0,
    ) -> None:
        self.rank, self.world_size = _process(rank, world_size)
        if packs_per_step < self.world_size:
            raise InputError(
                f"packs_per_step must be at least world_size {self.world_size}, "
                f"got {packs_per_step}"
            )
        _check("shuffle", shuffle, ("global", "shards", "none"))
        _check("tail", tail, ("drop", "fill"))
        _check("split", split, ("train", "validation"))
        if not 0 <= validation_fraction < 1:
            raise InputError(f"validation_fraction must be in [0, 1), got {validation_fraction}")
        self._dataset = dataset
        self._options = _Options(
            seed, shuffle, None if shares is None else tuple(shares), split, validation_fraction
        )
        self.packs_per_step = packs_per_step
        self.tail: Tail = tail
        self._balance = balance
        places = dataset.sets.places(split, validation_fraction)
        self.order = EpochOrder(places, seed=seed, shuffle=shuffle, shares=shares)
        if tail == "drop" and packs_per_step > self.order.packs:
            raise InputError(
                f"packs_per_step must be at most the {self.order.packs} packs of an epoch "
                f"where the tail is dropped, got {packs_per_step}"
            )
        self._cursor = Cursor(0, 0, 0)
        # Where the iteration under way began, in places.
        self._first = 0
        self._is_exhausted = False
        self._blocks: dict[tuple[int, int], list[int]] = {}

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
        """
        return self._steps_from(self._first)

    def __iter__(self) -> Iterator[list[int]]:
        """Yields the packs of each step of this rank, from the cursor to the end of its epoch."""
        # Only here: a StatefulDataLoader that was stopped after the last step of an epoch expects
        # no more of that epoch, and the next one of its next iteration.
        if self._is_exhausted:
            self.roll()
        self._is_exhausted = False
        for step in self.steps():
            self.advance(step)
            yield step.packs
        self._is_exhausted = True
        self._first = 0

    def steps(self, *, first: int = 0, stride: int = 1) -> Iterator[Step]:
        """Yields steps from the cursor to the end of its epoch without moving it.

        Args:
            first: Steps after the cursor that are left out.
            stride: Every how many-th step is wanted.
        """
        start = self._cursor
        self._first = start.position
        for number in range(first, self._steps_from(start.position), stride):
            position = start.position + number * self.packs_per_step
            yield self._step(Cursor(start.epoch, start.step + number, position))

    def advance(self, step: Step) -> None:
        """Moves the cursor past a step that was consumed."""
        self._cursor = step.end

    def roll(self) -> None:
        """Moves on to the next epoch where no step is left in this one."""
        if self._cursor != (rolled := self.rolled(self._cursor)):
            self._cursor, self._first = rolled, 0

    def rolled(self, cursor: Cursor) -> Cursor:
        """Returns the beginning of the next epoch where no step is left in that of a cursor."""
        return cursor if self._steps_from(cursor.position) else Cursor(cursor.epoch + 1, 0, 0)

    def set_epoch(self, epoch: int) -> None:
        """Moves the cursor to the beginning of an epoch; inside that epoch it stays where it is."""
        if epoch != self._cursor.epoch:
            self._cursor, self._first, self._is_exhausted = Cursor(epoch, 0, 0), 0, False

    def state_dict(self) -> dict[str, Any]:
        """Returns what `load_state_dict` takes: a few numbers, and what they must be used with."""
        return self._state(self._cursor)

    def state_at(self, cursor: Cursor) -> dict[str, Any]:
        """Returns the state once training has come to a cursor, at the end of an epoch the next."""
        return self._state(self.rolled(cursor))

    def _state(self, cursor: Cursor) -> dict[str, Any]:
        return {
            "version": STATE_VERSION,
            **cursor._asdict(),
            "packs_per_step": self.packs_per_step,
            "tail": self.tail,
            "fingerprint": self.fingerprint,
        }

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What must be the same when a state is loaded, by name."""
        options = self._options
        shares = None if options.shares is None else list(options.shares)
        return {
            "seed": options.seed,
            "shuffle": options.shuffle,
            "shares": shares,
            "split": options.split,
            "validation_fraction": options.validation_fraction,
            **self._dataset.fingerprint,
        }

    def ledger_start(self) -> LedgerStart:
        """Returns what a ledger says of a run that starts at the cursor."""
        options = self._options
        return LedgerStart(
            epoch=self.epoch,
            position=self.position,
            world_size=self.world_size,
            packs_per_step=self.packs_per_step,
            tail=self.tail,
            packs_of_set=self.order.packs_of_set,
            has_shares=options.shares is not None,
            split=options.split,
            validation_fraction=options.validation_fraction,
            contents=self._dataset.sets.contents,
        )

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where a state was saved. Ranks, packs a step and tail may be others.

        Raises:
            InputError: It is no state of a loader, or of another version.
            FingerprintError: It was saved with other packs, another order or other pixels.
        """
        if state.get("version") != STATE_VERSION:
            raise InputError(f"state must have version {STATE_VERSION}, got {state.get('version')}")
        if missing := {"fingerprint", *Cursor._fields} - state.keys():
            raise InputError(f"state must hold {sorted(missing)[0]}, has {sorted(state)}")
        saved, own = state["fingerprint"], self.fingerprint
        differences = [
            f"{name} is {saved.get(name)!r} in the state, {own.get(name)!r} here"
            for name in sorted(saved.keys() | own.keys())
            if saved.get(name) != own.get(name)
        ]
        if differences:
            raise FingerprintError("the state was saved with another loader", differences)
        cursor = Cursor(*(int(state[name]) for name in Cursor._fields))
        if min(cursor) < 0 or cursor.position > self.order.packs:
            raise InputError(f"state must stand in 0..{self.order.packs}, got {cursor}")
        self._cursor, self._first, self._is_exhausted = cursor, cursor.position, False

    def _step(self, cursor: Cursor) -> Step:
        wanted = range(
            cursor.position, min(cursor.position + self.packs_per_step, self.order.packs)
        )
        fillers = self.packs_per_step - len(wanted)
        edges = [
            self.packs_per_step * rank // self.world_size for rank in range(self.world_size + 1)
        ]
        if self._balance:
            # Every rank deals all packs of the step, and so all come to the same result.
            packs = self._packs_at(cursor.epoch, wanted) + [FILLER] * fillers
            slices = deal_evenly(self._dataset.sets.costs(packs), np.diff(edges).tolist())
            own = [packs[place] for place in slices[self.rank].tolist()]
        else:
            mine = wanted[edges[self.rank] : edges[self.rank + 1]]
            own = self._packs_at(cursor.epoch, mine)
            own += [FILLER] * (edges[self.rank + 1] - edges[self.rank] - len(own))
        end = Cursor(cursor.epoch, cursor.step + 1, cursor.position + len(wanted))
        return Step(cursor, end, own)

    def _packs_at(self, epoch: int, places: range) -> list[int]:
        """Returns the packs at places of an epoch."""
        packs: list[int] = []
        for number in range(places.start // _BLOCK, -(-places.stop // _BLOCK)):
            first = number * _BLOCK
            block = self._block(epoch, number)
            packs += block[max(0, places.start - first) : max(0, places.stop - first)]
        return packs

    def _block(self, epoch: int, number: int) -> list[int]:
        """Returns the packs of a block of places; many places cost little more than one."""
        if (epoch, number) not in self._blocks:
            first = number * _BLOCK
            places = range(first, min(first + _BLOCK, self.order.packs))
            # Two are kept, for a step can stand astride the end of one.
            last = dict(list(self._blocks.items())[-1:])
            self._blocks = {**last, (epoch, number): self.order(epoch, places).tolist()}
        return self._blocks[epoch, number]

    def _steps_from(self, position: int) -> int:
        left = self.order.packs - position
        if self.tail == "fill":
            return -(-left // self.packs_per_step)
        return left // self.packs_per_step


def _process(rank: int | None, world_size: int | None) -> tuple[int, int]:
    """Returns rank and number of ranks, as given or as torch.distributed knows them."""
    if (rank is None) != (world_size is None):
        raise InputError(f"rank and world_size go together, got {rank} and {world_size}")
    if rank is None or world_size is None:
        distributed = torch.distributed
        if distributed.is_available() and distributed.is_initialized():
            return distributed.get_rank(), distributed.get_world_size()
        # Without this, a loader made too early would have every rank read the same packs.
        if (started := os.environ.get("WORLD_SIZE", "1")) != "1":
            raise InputError(
                f"rank and world_size must be given, or torch.distributed initialized, where "
                f"WORLD_SIZE is {started}"
            )
        return 0, 1
    if not 0 <= rank < world_size:
        raise InputError(f"rank must be in 0..world_size-1, got {rank} of {world_size}")
    return rank, world_size


def _check(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise InputError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
