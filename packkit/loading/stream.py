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
from packkit.loading.cursor import Cursor, Step
from packkit.loading.dataset import PackDataset
from packkit.loading.iteration import Iteration
from packkit.loading.options import BatchKeywords, BatchOptions, resolve_options
from packkit.loading.sampler import PackSampler

_MOST_WORKERS = (1 << 31) - 1


class PackStream(IterableDataset[PackBatch]):
    """The batches of one rank, for ``DataLoader(stream, batch_size=None, num_workers=...)``.

    Without workers the stream is the cursor that its sampler is: handing out a batch moves it, and
    an epoch is over once its last batch is handed out.

    Worker w of n makes every n-th batch, so a DataLoader, which asks its workers in turn, gives the
    batches in the order of the steps, the same as with any other number of workers. Workers are
    copies, and make more than is taken of them: what they make does not move the stream in the main
    process. Every iteration with workers begins where that stream stands, whether they persist or
    not, and only `set_epoch` and `load_state_dict` move it: call `set_epoch` before each epoch, or
    load the ``state`` of the last batch consumed to go on, also with another number of workers. An
    iteration that begins where the last one did is warned of. ``StatefulDataLoader`` keeps account
    by itself.

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
        """Returns an iteration over the batches, in a worker over its own, to the epoch's end.

        Raises:
            ChecksumError: Bytes are not those that were written.
            FormatError: A pack cannot be read, or an image of it cannot be decoded.
        """
        info = get_worker_info()
        if info is None:
            return Iteration(lambda: self._sampler.epoch, self._batches)
        # Not when the first batch is asked for: a StatefulDataLoader saves the state before that.
        return _WorkerIteration(self, info.id, info.num_workers, self._go_where_told(info.id))

    def _batches(self) -> Iterator[PackBatch]:
        for batch in self._sampler.consume(self._assemble):
            self._tell()
            yield batch

    def _assemble(self, steps: Iterator[Step]) -> Iterator[tuple[Step, PackBatch]]:
        for step in steps:
            state = self._sampler.state_at(step.end)
            yield step, assemble(Assembly(self._dataset, step, state, self._options))

    def of_worker(self, first: int, stride: int) -> Iterator[PackBatch]:
        """Yields batches from where the stream stands to the end of the epoch without moving it.

        Args:
            first: Number of batches that are left out.
            stride: Distance from one batch yielded to the next.
        """
        steps = self._sampler.steps(first=first, stride=stride)
        return (batch for _, batch in self._assemble(steps))

    @property
    def cursor(self) -> Cursor:
        """Where the stream stands."""
        return self._sampler.cursor

    def set_epoch(self, epoch: int) -> None:
        """Moves to the beginning of an epoch; inside that epoch it stays where it is.

        Raises:
            InputError: The epoch is no whole number in 0..2^31-1.
        """
        self._sampler.set_epoch(epoch)
        self._tell()

    def state_dict(self) -> dict[str, Any]:
        """Returns where this copy of the stream stands."""
        return self._sampler.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where a state was saved: that of a batch, of a loader, or of a stream.

        Raises:
            InputError: The mapping is no state of a loader, or of another version.
            FingerprintError: The state was saved with other packs, another order or other pixels.
        """
        self._sampler.load_state_dict(state)
        self._has_begun = False
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
        if self._has_begun and moves != self._moves:
            self._moves = moves
            self._sampler.go_to(Cursor(*cursor))
        self._has_begun = True
        if worker != 0:
            return False
        self._told[-1] = 1
        return bool(has_been_begun)

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        # That of a deep copy is not.
        self._share()

    def _share(self) -> None:
        self._told.share_memory_()  # type: ignore[no-untyped-call]


class _WorkerIteration(Iterator[PackBatch]):
    """The batches of one worker process; a ``StatefulDataLoader`` can save it.

    Args:
        stream: Copy of the stream in this process.
        worker: Number of the worker.
        workers: Number of workers.
        begins_again: Whether the last iteration began at the same place.
    """

    def __init__(self, stream: PackStream, worker: int, workers: int, begins_again: bool) -> None:
        self._stream = stream
        self._worker, self._workers = worker, workers
        self._begins_again = begins_again
        self._made = 0
        self._batches: Iterator[PackBatch] | None = None

    def __next__(self) -> PackBatch:
        if self._batches is None:
            self._batches = self._begin()
        batch = next(self._batches)
        self._made += 1
        return batch

    def _begin(self) -> Iterator[PackBatch]:
        if self._begins_again:
            place = self._stream.cursor
            warnings.warn(
                f"the stream begins at epoch {place.epoch}, step {place.step}, again: workers do "
                "not know what was taken of them; call set_epoch before each epoch, or load the "
                "state of the last batch",
                stacklevel=3,
            )
        return self._stream.of_worker(self._worker + self._made * self._workers, self._workers)

    def state_dict(self) -> dict[str, int]:
        """Returns how many batches this worker made since the place where the stream stands."""
        return {"made": self._made, "workers": self._workers}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Leaves out what a worker had made when it was saved.

        Raises:
            InputError: The mapping is no state of a worker, or of one among fewer or more.
        """
        made, workers = state.get("made"), state.get("workers")
        if not is_whole(made, 0, LARGEST_COUNT) or not is_whole(workers, 1, _MOST_WORKERS):
            raise InputError(
                f"made and workers must be whole numbers, got {shown(made)} and {shown(workers)}"
            )
        if workers != self._workers:
            raise InputError(
                f"the state is that of one of {workers} workers, here are {self._workers}; "
                "the state of a batch can be loaded with any number"
            )
        self._made, self._begins_again = int(made), False  # type: ignore[arg-type]
