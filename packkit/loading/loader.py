"""Batches of packs for any PyTorch trainer, made by threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from packkit.base.errors import InputError
from packkit.loading.assembly import Assembly, assemble, assemble_with
from packkit.loading.batch import PackBatch
from packkit.loading.batch_ledger import BatchLedger
from packkit.loading.cursor import Step
from packkit.loading.dataset import PackDataset
from packkit.loading.options import LoaderKeywords, LoaderOptions, resolve_options
from packkit.loading.sampler import PackSampler


class PackLoader:
    """Iterates over the batches of this rank, from where it stands to the end of the epoch.

    The loader is a cursor, and `state_dict` is where it stands: handing out a batch moves it past
    that batch, and behind the last batch of an epoch to the beginning of the next. So an iteration
    that is left early goes on from there when the loader is iterated again, and one that was taken
    in full, to `len` or until it ends, is followed by the next epoch. What was prefetched but not
    handed out does not count as consumed. There is one iteration at a time: an older one that is
    asked for a batch after the cursor was moved raises `InputError`.

    Batches do not depend on the number of threads, nor on where an iteration was stopped.

    Args:
        packs: A pack set, a ``.jsonl`` of packs, a folder of Open-Qwen2VL's ``*_packed.json``, a
            sequence of them, or a mapping from each to its share of an epoch.
        options: Options, see `LoaderOptions`; they may be given as keywords, too.

    Attributes:
        dataset: The packs by number.
        sampler: Sampler that decides which packs each step takes.

    Raises:
        InputError: An option is not legal.
        FormatError: A path holds no packs, or no encoder where none is given.
        FingerprintError: Packs were made with another encoder than the others or the one given.
        MissingExtraError: The decoder is not installed.
    """

    def __init__(
        self,
        packs: str | Path | Sequence[str | Path] | Mapping[str, float],
        options: LoaderOptions | None = None,
        **keywords: Unpack[LoaderKeywords],
    ) -> None:
        options = resolve_options(LoaderOptions, options, {**keywords})
        if isinstance(packs, Mapping):
            if options.shares is not None:
                raise InputError(
                    f"shares must not be given where packs is a mapping to shares, got "
                    f"{list(options.shares)} and {list(packs.values())}"
                )
            options = replace(options, shares=list(packs.values()))
        self.options = options
        self.dataset = PackDataset(list(packs) if isinstance(packs, Mapping) else packs, options)
        self.sampler = PackSampler(self.dataset, options)
        rank, ledger = self.sampler.single_rank, options.ledger
        self._ledger = None if ledger is None else BatchLedger(ledger, self.sampler, rank=rank)

    def __len__(self) -> int:
        """Returns the batches of this iteration, or of the next where none is under way.

        The same on all ranks. A whole epoch's, unless a state was loaded that stands inside one.
        """
        return len(self.sampler)

    def __iter__(self) -> Iterator[PackBatch]:
        """Yields the batches from where the loader stands to the end of the epoch.

        Raises:
            ChecksumError: Bytes are not those that were written.
            FormatError: A pack cannot be read, or an image of it cannot be decoded.
        """
        make = self._in_threads if self.options.threads else self._in_turn
        # A batch is noted before it is handed out: what is handed out, is noted.
        yield from self.sampler.consume(make, None if self._ledger is None else self._ledger.note)

    def state_dict(self) -> dict[str, Any]:
        """Returns where the loader stands: a few numbers, and what they must be used with."""
        return self.sampler.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where a state was saved. Ranks, threads and packs a step may be others.

        Raises:
            InputError: The mapping is no state of a loader, or of another version.
            FingerprintError: The state was saved with other packs, another order or other pixels.
        """
        self.sampler.load_state_dict(state)

    def set_epoch(self, epoch: int) -> None:
        """Moves to the beginning of an epoch; inside that epoch it stays where it is."""
        self.sampler.set_epoch(epoch)

    def close(self) -> None:
        """Closes its files."""
        self.dataset.sets.close()

    def _assembly(self, step: Step) -> Assembly:
        return Assembly(self.dataset, step, self.sampler.state_at(step.end), self.options)

    def _in_turn(self, steps: Iterator[Step]) -> Iterator[tuple[Step, PackBatch]]:
        for step in steps:
            yield step, assemble(self._assembly(step))

    def _in_threads(self, steps: Iterator[Step]) -> Iterator[tuple[Step, PackBatch]]:
        pending: deque[tuple[Step, Future[PackBatch]]] = deque()
        threads = ThreadPoolExecutor(self.options.threads, thread_name_prefix="packkit-loader")
        try:
            for step in steps:
                pending.append((step, assemble_with(threads, self._assembly(step))))
                if len(pending) > self.options.prefetch:
                    yield _first(pending)
            while pending:
                yield _first(pending)
        finally:
            threads.shutdown(wait=True, cancel_futures=True)


def _first(pending: deque[tuple[Step, Future[PackBatch]]]) -> tuple[Step, PackBatch]:
    step, batch = pending.popleft()
    return step, batch.result()
