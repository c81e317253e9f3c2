"""Batches of packs as an iterable dataset, for loaders that bring their own worker processes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Unpack

import torch
from torch.utils.data import IterableDataset, get_worker_info

from packkit.base.errors import InputError
from packkit.base.values import LARGEST_COUNT, is_whole, shown
from packkit.loading.assembly import Assembly, assemble
from packkit.loading.batch import PackBatch
from packkit.loading.cursor import Cursor
from packkit.loading.dataset import PackDataset
from packkit.loading.options import BatchKeywords, BatchOptions, resolve_options
from packkit.loading.sampler import PackSampler

_OWN_STEPS, _WORKERS = "own_steps", "workers"

_MOST_WORKERS = (1 << 31) - 1


class PackStream(IterableDataset[PackBatch]):
    """The batches of one rank, for ``DataLoader(stream, batch_size=None, num_workers=...)``.

    Worker w of n makes every n-th batch, so a DataLoader, which asks its workers in turn, gives the
    batches in the order of the steps, the same as with any other number of workers.

    Workers are copies, and make more than is taken of them: what they make does not move the stream
    in the main process. Every iteration with workers begins where that stream stands, whether they
    persist or not, and only `set_epoch` and `load_state_dict` move it: call `set_epoch` before each
    epoch, or load the ``state`` of the last batch consumed to go on, also with another number of
    workers. An iteration that begins where the last one did is warned of. ``StatefulDataLoader``
    keeps account by itself.

    Args:
        dataset: Packs by number.
        sampler: Sampler that decides which packs each step takes.
        options: Options, see `BatchOptions`; they may be given as keywords, too.
    """

    def __init__(
        self,
        dataset: PackDataset,
        sampler: PackSampler,
        options: BatchOptions | None = None,
        **keywords: Unpack[BatchKeywords],
    ) -> None:
        self._dataset = dataset
        self._sampler = sampler
        self._options = resolve_options(BatchOptions, options, {**keywords})
        self._own_steps = 0
        self._workers: int | None = None
        self._is_done = False
        # Whether this copy has begun an iteration in a worker process.
        self._has_begun = False
        self._moves = 0
        # Seen by all copies: how often the main process moved its stream, the cursor it moved it
        # to, and whether workers have begun there.
        self._told = torch.zeros(2 + len(Cursor._fields), dtype=torch.int64)
        self._share()

    def __len__(self) -> int:
        """Returns the batches of the next iteration, over all workers."""
        return len(self._sampler)

    def __iter__(self) -> Iterator[PackBatch]:
        """Yields the batches of this worker, from where the stream stands to the end of the epoch.

        Raises:
            ChecksumError: Bytes are not those that were written.
            FormatError: A pack cannot be read, or an image of it cannot be decoded.
        """
        # Not when the first batch is asked for: a StatefulDataLoader saves the state before that.
        worker, workers = _worker()
        begins_again = False
        if get_worker_info() is not None:
            begins_again = self._go_where_told(worker)
        elif self._is_done:
            self.set_epoch(self._sampler.epoch + 1)
        if self._own_steps and self._workers != workers:
            raise InputError(
                f"the state is that of one of {self._workers} workers, here are {workers}; "
                "the state of a batch can be loaded with any number"
            )
        self._workers = workers
        return self._batches(worker, workers, begins_again)

    def _batches(self, worker: int, workers: int, begins_again: bool) -> Iterator[PackBatch]:
        if begins_again:
            place = self._sampler.cursor
            warnings.warn(
                f"the stream begins at epoch {place.epoch}, step {place.step}, again: workers do "
                "not know what was taken of them; call set_epoch before each epoch, or load the "
                "state of the last batch",
                stacklevel=2,
            )
        first = worker + self._own_steps * workers
        for step in self._sampler.steps(first=first, stride=workers):
            state = self._sampler.state_at(step.end)
            batch = assemble(Assembly(self._dataset, step, state, self._options))
            self._own_steps += 1
            yield batch
        self._is_done = True

    def set_epoch(self, epoch: int) -> None:
        """Moves to the beginning of an epoch; inside that epoch it stays where it is.

        Raises:
            InputError: The epoch is no whole number in 0..2^31-1.
        """
        before = self._sampler.epoch
        self._sampler.set_epoch(epoch)
        if self._sampler.epoch != before:
            self._own_steps, self._is_done = 0, False
        self._tell()

    def state_dict(self) -> dict[str, Any]:
        """Returns where this copy of the stream stands: its start, and what it made since."""
        worker = {_OWN_STEPS: self._own_steps, _WORKERS: self._workers}
        return {**self._sampler.state_dict(), **worker}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where a state was saved: that of a batch, a loader, or of this worker's stream.

        Raises:
            InputError: The mapping is no state of a loader, or of another version.
            FingerprintError: The state was saved with other packs, another order or other pixels.
        """
        before = self._sampler.cursor
        self._sampler.load_state_dict(state)
        own_steps, workers = state.get(_OWN_STEPS, 0), state.get(_WORKERS)
        if not is_whole(own_steps, 0, LARGEST_COUNT) or not (
            workers is None or is_whole(workers, 1, _MOST_WORKERS)
        ):
            self._sampler.go_to(before)
            raise InputError(
                f"{_OWN_STEPS} and {_WORKERS} must be whole numbers, got {shown(own_steps)} and "
                f"{shown(workers)}"
            )
        self._own_steps, self._workers = own_steps, workers
        self._is_done = self._has_begun = False
        self._tell()

    def _tell(self) -> None:
        """Has workers that persist begin their next iteration where this stream stands."""
        if get_worker_info() is None:
            self._moves += 1
            self._told.copy_(torch.tensor([self._moves, *self._sampler.cursor, 0]))

    def _go_where_told(self, worker: int) -> bool:
        """Begins where the main process has its stream, in a worker.

        Args:
            worker: Number of the worker.

        Returns:
            Whether the first worker begins where it has begun before.
        """
        moves, *cursor, has_been_begun = self._told.tolist()
        # A new copy is that stream. What it is told may already be meant for the next iteration.
        if self._has_begun:
            if moves != self._moves:
                self._moves = moves
                self._sampler.go_to(Cursor(*cursor))
            self._own_steps, self._workers = 0, None
        self._has_begun = True
        if worker != 0:
            return False
        self._told[-1] = 1
        # A copy that was loaded with the state of a worker goes on.
        return bool(has_been_begun) and self._workers is None

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        # That of a deep copy is not.
        self._share()

    def _share(self) -> None:
        self._told.share_memory_()  # type: ignore[no-untyped-call]


def _worker() -> tuple[int, int]:
    """Returns number of this worker process and their number."""
    info = get_worker_info()
    if info is None:
        return 0, 1
    return info.id, info.num_workers
