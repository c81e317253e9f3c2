"""Batches of packs for any PyTorch trainer, made by threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from packkit.base.errors import InputError
from packkit.base.orders import Split
from packkit.encoding import SampleEncoder
from packkit.images.headers import MAX_PIXELS
from packkit.ledger import LedgerStart, LedgerStep, LedgerWriter
from packkit.loading.assembly import Assembly, assemble, assemble_with
from packkit.loading.batch import PackBatch
from packkit.loading.dataset import BadImage, Decoder, PackDataset
from packkit.loading.order import Shuffle
from packkit.loading.sampler import PackSampler, Step, Tail


class PackLoader:
    """Iterates over the batches of this rank, from where it stands to the end of the epoch.

    An iteration that is left early goes on from there when the loader is iterated again, and
    the one after the end of an epoch takes the next: the loader is a cursor, and `state_dict` is
    where it stands. What was prefetched but not handed out does not count as consumed.

    Batches do not depend on the number of threads, nor on where an iteration was stopped.

    Args:
        packs: A pack set, a ``.jsonl`` of packs, a folder of Open-Qwen2VL's ``*_packed.json``, a
            sequence of them, or a mapping from each to its share of an epoch.
        packs_per_step: Packs of a step over all ranks, at least `world_size`.
        seed: Decides the order.
        rank: Of this process; by default that of ``torch.distributed``, or 0 without it.
        world_size: Number of ranks; likewise, or 1.
        threads: Threads that read and decode; 0 does all of it in the thread that iterates.
        image_size: S: images become S x S pixels.
        shuffle: ``global``, ``shards`` (the disk is read sequentially) or ``none``.
        tail: ``fill`` the last step of an epoch up with packs that hold nothing, or ``drop`` it.
        decoder: ``pillow``, or ``turbo``, which is faster; see `packkit.images.pixels`.
        on_bad_image: ``raise`` an error where an image cannot be decoded, or ``mask`` its sample.
        balance: Whether ranks get nearly equal numbers of images and sums of squared lengths.
        split: ``train``, or ``validation`` for the packs that are held out.
        validation_fraction: About how much of each set is held out, by hash.
        pad_to_multiple_of: The number of tokens of a batch is raised to a multiple of this.
        max_seqlen: Fixes `PackBatch.max_seqlen`, which else is that of the batch.
        prefetch: Batches in the making while one is consumed.
        max_pixels: Largest image that is decoded, width x height.
        encoder: What turns samples into ids, for packs that hold none.
        verify: Whether every checksum is compared when its bytes are read.
        ledger: Folder in which every rank notes what it consumed, see `packkit.ledger`.

    Attributes:
        dataset: The packs by number.
        sampler: Which of them each step takes.

    Raises:
        InputError: An option is not legal.
        FormatError: A path holds no packs, or no encoder where none is given.
        FingerprintError: Packs were made with another encoder than the others or the one given.
        MissingExtraError: The decoder is not installed.
    """

    def __init__(
        self,
        packs: str | Path | Sequence[str | Path] | Mapping[str, float],
        *,
        packs_per_step: int,
        seed: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
        threads: int = 4,
        image_size: int = 384,
        shuffle: Shuffle = "global",
        tail: Tail = "fill",
        decoder: Decoder = "pillow",
        on_bad_image: BadImage = "raise",
        balance: bool = False,
        split: Split = "train",
        validation_fraction: float = 0.0,
        pad_to_multiple_of: int | None = None,
        max_seqlen: int | None = None,
        prefetch: int = 2,
        max_pixels: int = MAX_PIXELS,
        encoder: SampleEncoder | None = None,
        verify: bool = True,
        ledger: str | Path | None = None,
    ) -> None:
        if threads < 0 or prefetch < 1:
            raise InputError(
                f"threads must be at least 0 and prefetch at least 1, got {threads} and {prefetch}"
            )
        self.dataset = PackDataset(
            list(packs) if isinstance(packs, Mapping) else packs,
            image_size=image_size,
            decoder=decoder,
            on_bad_image=on_bad_image,
            max_pixels=max_pixels,
            encoder=encoder,
            verify=verify,
        )
        self.sampler = PackSampler(
            self.dataset,
            packs_per_step=packs_per_step,
            seed=seed,
            rank=rank,
            world_size=world_size,
            shuffle=shuffle,
            tail=tail,
            balance=balance,
            shares=list(packs.values()) if isinstance(packs, Mapping) else None,
            split=split,
            validation_fraction=validation_fraction,
        )
        self._threads = threads
        self._prefetch = prefetch
        self._pad_to_multiple_of = pad_to_multiple_of
        self._max_seqlen = max_seqlen
        self._ledger = None if ledger is None else LedgerWriter(ledger, self.sampler.rank)

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
        # Before the roll, or a ledger would not know what a resume drops before its first step.
        start = self.sampler.ledger_start()
        self.sampler.roll()
        steps = self.sampler.steps()
        for step, batch in self._in_threads(steps) if self._threads else self._in_turn(steps):
            if self._ledger is not None:
                self._note(self._ledger, start, step, batch)
            self.sampler.advance(step)
            self.sampler.roll()
            start = self.sampler.ledger_start()
            yield batch

    def state_dict(self) -> dict[str, Any]:
        """Returns where the loader stands: a few numbers, and what they must be used with."""
        return self.sampler.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where a state was saved. Ranks, threads and packs a step may be others.

        Raises:
            InputError: It is no state of a loader, or of another version.
            FingerprintError: It was saved with other packs, another order or other pixels.
        """
        self.sampler.load_state_dict(state)

    def set_epoch(self, epoch: int) -> None:
        """Moves to the beginning of an epoch; inside that epoch it stays where it is."""
        self.sampler.set_epoch(epoch)

    def close(self) -> None:
        """Closes its files."""
        self.dataset.sets.close()

    def _note(self, ledger: LedgerWriter, start: LedgerStart, step: Step, batch: PackBatch) -> None:
        """Notes a step before it is handed out: what is handed out, is noted."""
        epoch, number, position = step.start
        noted = LedgerStep(epoch, number, position, step.packs, list(batch.masked))
        end = self.sampler.rolled(step.end)
        ledger.write(start, noted, end=(end.epoch, end.position))

    def _assembly(self, step: Step) -> Assembly:
        return Assembly(
            self.dataset,
            step,
            self.sampler.state_at(step.end),
            pad_to_multiple_of=self._pad_to_multiple_of,
            max_seqlen=self._max_seqlen,
        )

    def _in_turn(self, steps: Iterator[Step]) -> Iterator[tuple[Step, PackBatch]]:
        for step in steps:
            yield step, assemble(self._assembly(step))

    def _in_threads(self, steps: Iterator[Step]) -> Iterator[tuple[Step, PackBatch]]:
        pending: deque[tuple[Step, Future[PackBatch]]] = deque()
        threads = ThreadPoolExecutor(self._threads, thread_name_prefix="packkit-loader")
        try:
            for step in steps:
                pending.append((step, assemble_with(threads, self._assembly(step))))
                if len(pending) > self._prefetch:
                    yield _first(pending)
            while pending:
                yield _first(pending)
        finally:
            threads.shutdown(wait=True, cancel_futures=True)


def _first(pending: deque[tuple[Step, Future[PackBatch]]]) -> tuple[Step, PackBatch]:
    step, batch = pending.popleft()
    return step, batch.result()
