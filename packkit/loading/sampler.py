"""Which packs each rank takes at each step, exactly once, from any place on."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, Unpack

from torch.utils.data import Sampler

from packkit.base.errors import FingerprintError, InputError
from packkit.base.values import shown
from packkit.ledger import LedgerStart
from packkit.loading.cursor import (
    STATE_VERSION,
    Cursor,
    Step,
    check_place,
    plain_fingerprint,
    read_cursor,
)
from packkit.loading.dataset import PackDataset
from packkit.loading.dealing import Dealer
from packkit.loading.iteration import Iteration
from packkit.loading.launcher import process_group, this_process
from packkit.loading.options import SamplerKeywords, SamplerOptions, resolve_options
from packkit.loading.order import EpochOrder
from packkit.loading.step_items import StepItems

_Made = TypeVar("_Made")


class PackSampler(Sampler[list[int]]):
    """Deals the packs of a dataset to steps and ranks; a ``batch_sampler`` for a ``DataLoader``.

    A step takes the next `packs_per_step` packs of the epoch's order, over all ranks, and each rank
    a slice of them; slices differ by at most one pack. The order depends on seed and epoch alone,
    so a state can be loaded with another number of ranks, threads or packs a step: no pack is lost
    and none comes twice. All ranks make the same number of steps.

    It is a cursor: handing out a step moves it past that step, and behind the last step of an epoch
    to the beginning of the next, whether or not anybody asks for more. An iteration goes from where
    the cursor stands to the end of that epoch. There is one at a time: an older one that is asked
    for a step after the cursor was moved raises `InputError`.

    A ``DataLoader`` with workers asks ahead of what it hands out, so there the cursor stands
    further on than training. To go on after a stop inside an epoch, load the ``state`` of the last
    batch; a ``StatefulDataLoader`` saves the right one by itself.

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
        self.rank, self.world_size = this_process(options.rank, options.world_size)
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
        self._dealer = Dealer(self.order, dataset.sets, options, self.world_size)
        self._steps = self._dealer.steps
        self.go_to(Cursor(0, 0, 0))

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

    def __iter__(self) -> Iteration[StepItems[int]]:
        """Returns an iteration over the packs of each step of this rank.

        It begins where the cursor stands when the first step is asked for. With the rank ``all``,
        it gives those of each rank in turn, and the cursor moves once the last has its own.

        Raises:
            InputError: The rank is ``all``, and nothing deals the batches out.
        """
        return Iteration(lambda: self.epoch, self._hand_out)

    def _hand_out(self) -> Iterator[StepItems[int]]:
        if len(self._ranks) > 1 and not self._is_dealt_out:
            raise InputError(
                f'rank "all" gives the batches of all {self.world_size} ranks to each: pass the '
                "DataLoader through accelerator.prepare, with dispatch_batches=False, or leave "
                "rank out"
            )
        self._warn_of_lost()
        self._first = self.position
        for start, end in self._dealer.cursors(self._cursor):
            state, dealt = self.state_at(end), self._dealer.deal(start, self._ranks)
            *others, last = (StepItems(packs, start, state) for packs in dealt)
            for packs in others:
                self._check_unmoved(start)
                yield packs
            self._check_unmoved(start)
            self._move(end)
            yield last

    def steps(self, *, first: int = 0, stride: int = 1) -> Iterator[Step]:
        """Yields steps from the cursor to the end of its epoch without moving it.

        Args:
            first: Number of steps after the cursor that are left out.
            stride: Distance from one step yielded to the next.

        Raises:
            InputError: The rank is ``all``.
        """
        ranks = [self.single_rank]
        self._first = self.position
        for start, end in self._dealer.cursors(self._cursor, first, stride):
            (packs,) = self._dealer.deal(start, ranks)
            yield Step(start, end, packs)

    def steps_left(self, cursor: Cursor) -> int:
        """Returns the steps of a rank from a cursor to the end of its epoch."""
        return self._steps.left(cursor.position)

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
        if self.rank != "all" and max(self.world_size, (process_group() or (0, 1))[1]) > 1:
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
        note: Callable[[_Made], None] | None = None,
    ) -> Iterator[_Made]:
        """Yields what is made of each step to the end of the epoch; what is yielded is consumed.

        Args:
            make: Makes something of steps, in their order; it may be ahead of what is yielded.
            note: Takes what was made, before the step counts as consumed.

        Raises:
            InputError: The cursor was moved since the last step.
        """
        for step, made in make(self.steps()):
            self._check_unmoved(step.start)
            if note is not None:
                note(made)
            self._move(step.end)
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
        """Moves the cursor, to the next epoch where none of its own is left behind it."""
        # A ledger has to know what a run drops that goes on with larger steps.
        self._origin = cursor
        self._cursor = self._steps.rolled(cursor)
        # Where the iteration under way, or the next, began in its epoch.
        self._first = self._cursor.position
        self._is_left = False

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

    def ledger_start(self, start: Cursor) -> LedgerStart:
        """Returns what a ledger says of a run whose first step begins at a cursor."""
        if self._steps.rolled(self._origin) == start:
            start = self._origin
        options = self.options
        return LedgerStart(
            epoch=start.epoch,
            position=start.position,
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
        """Moves the cursor behind a step that is handed out."""
        self._cursor = self._steps.rolled(cursor)
        self._is_left = self._cursor.epoch == cursor.epoch
        if not self._is_left:
            self._first = 0

    def _check_unmoved(self, start: Cursor) -> None:
        """Checks that the cursor stands where the step begins that is about to be handed out."""
        if self._cursor != start:
            raise InputError(
                f"an iteration stands at epoch {start.epoch}, step {start.step}, its sampler at "
                f"epoch {self._cursor.epoch}, step {self._cursor.step}: set_epoch, load_state_dict "
                "or another iteration moved it; begin a new iteration"
            )

    def _warn_of_lost(self) -> None:
        """Warns where an iteration goes on behind one that was left while workers were ahead."""
        are_ahead = self._dataset.is_read_by_workers
        self._dataset.forget_workers()
        if self._is_left and are_ahead:
            warnings.warn(
                f"the sampler goes on at epoch {self.epoch}, step {self._cursor.step}, which may "
                "leave packs out: workers were asked ahead of what was taken of them; load the "
                "state of the last batch",
                stacklevel=2,
            )

    def _state(self, cursor: Cursor) -> dict[str, Any]:
        return {
            "version": STATE_VERSION,
            **cursor._asdict(),
            "packs_per_step": self.options.packs_per_step,
            "tail": self.options.tail,
            "fingerprint": self.fingerprint,
        }
