"""Batches of packs as an iterable dataset, for loaders that bring their own worker processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Unpack

from torch.utils.data import IterableDataset, get_worker_info

from packkit.base.errors import InputError
from packkit.loading.assembly import Assembly, assemble
from packkit.loading.batch import PackBatch
from packkit.loading.dataset import PackDataset
from packkit.loading.options import BatchKeywords, BatchOptions, resolve_options
from packkit.loading.sampler import PackSampler

_OWN_STEPS, _WORKERS = "own_steps", "workers"


class PackStream(IterableDataset[PackBatch]):
    """The batches of one rank, for ``DataLoader(stream, batch_size=None, num_workers=...)``.

    Worker w of n makes every n-th batch, so a DataLoader, which asks its workers in turn, gives the
    batches in the order of the steps, the same as with any other number of workers.

    Workers are copies: what they consume does not move the stream in the main process. To go on,
    also with another number of workers, load the ``state`` of the last batch consumed; call
    `set_epoch` before each epoch. ``StatefulDataLoader`` keeps account by itself.

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

    def __len__(self) -> int:
        """Returns the batches of the next iteration, over all workers."""
        return len(self._sampler)

    def __iter__(self) -> Iterator[PackBatch]:
        """Yields the batches of this worker, from where the stream stands to the end of the epoch.

        Raises:
            ChecksumError: Bytes are not those that were written.
            FormatError: A pack cannot be read, or an image of it cannot be decoded.
        """
        worker, workers = _worker()
        if self._is_done:
            self.set_epoch(self._sampler.epoch + 1)
        if self._own_steps and self._workers != workers:
            raise InputError(
                f"the state is that of one of {self._workers} workers, here are {workers}; "
                "the state of a batch can be loaded with any number"
            )
        self._workers = workers
        first = worker + self._own_steps * workers
        for step in self._sampler.steps(first=first, stride=workers):
            state = self._sampler.state_at(step.end)
            batch = assemble(Assembly(self._dataset, step, state, self._options))
            self._own_steps += 1
            yield batch
        self._is_done = True

    def set_epoch(self, epoch: int) -> None:
        """Moves to the beginning of an epoch; inside that epoch it stays where it is."""
        if epoch != self._sampler.epoch:
            self._sampler.set_epoch(epoch)
            self._own_steps, self._is_done = 0, False

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
        self._sampler.load_state_dict(state)
        self._own_steps, self._workers = state.get(_OWN_STEPS, 0), state.get(_WORKERS)
        self._is_done = False


def _worker() -> tuple[int, int]:
    """Returns number of this worker process and their number."""
    info = get_worker_info()
    if info is None:
        return 0, 1
    return info.id, info.num_workers
