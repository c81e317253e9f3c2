"""A ledger of the batches that training takes, whichever door they come through."""

from __future__ import annotations

import warnings
from pathlib import Path

from packkit.base.errors import InputError
from packkit.ledger import LedgerStep, LedgerWriter
from packkit.loading.batch import PackBatch
from packkit.loading.cursor import Cursor, read_cursor
from packkit.loading.launcher import process_group
from packkit.loading.sampler import PackSampler


class BatchLedger:
    """Notes each batch that training takes; ``packkit ledger`` proves from it what was trained.

    `PackLoader` keeps one itself where it is given a folder. In any other loop call `note` with
    each batch before it is trained, and `on_epoch_end` after the last of an epoch.

    Args:
        folder: Folder of the ledger, the same for all ranks.
        sampler: Sampler that gave the batches their packs.
        rank: Number of this process; by default that of the sampler, or, where that has all ranks,
            that of ``torch.distributed``.
    """

    def __init__(
        self, folder: str | Path, sampler: PackSampler, *, rank: int | None = None
    ) -> None:
        if rank is None:
            rank = (process_group() or (0, 1))[0] if sampler.rank == "all" else sampler.single_rank
        self._rank = rank
        self._sampler = sampler
        self._writer = LedgerWriter(folder, rank)
        # The last step noted, and where training stands after it.
        self._last: Cursor | None = None
        self._next = Cursor(0, 0, 0)
        # Steps of the epoch of the last one that were passed over, and whether that was said.
        self._passed_over = 0
        self._is_said = False

    def note(self, batch: PackBatch) -> None:
        """Notes a batch; call it before the batch is trained.

        Warns of steps missing from the epoch before, where the batch is the first of another.

        Raises:
            InputError: No sampler made the batch.
            FormatError: The file of this rank ends in something that is not of a ledger.
            OSError: The batch cannot be noted.
        """
        if batch.epoch is None or batch.step is None or batch.position is None:
            raise InputError("a ledger takes batches whose packs PackSampler chose, got another")
        start = Cursor(batch.epoch, batch.step, batch.position)
        self._count_passed_over(start)
        end = read_cursor(batch.state or {})
        step = LedgerStep(*start, batch.pack_ids.tolist(), [*batch.masked])
        run = self._sampler.ledger_start(start)
        self._writer.write(run, step, end=(end.epoch, end.position))
        self._last, self._next = start, end

    def on_epoch_end(self) -> None:
        """Warns where this rank did not take all steps of the epoch of its last batch."""
        if self._last is None or self._is_said:
            return
        epoch = self._last.epoch
        is_over = self._next.epoch > epoch
        missing = self._passed_over + (0 if is_over else self._sampler.steps_left(self._next))
        if missing:
            self._is_said = True
            warnings.warn(
                f"rank {self._rank} did not take {missing} of the "
                f"{self._sampler.steps_left(Cursor(epoch, 0, 0))} steps of epoch {epoch}: their "
                "packs are missing from it",
                stacklevel=2,
            )

    def _count_passed_over(self, start: Cursor) -> None:
        """Counts the steps between the last one noted and the next."""
        if self._last is None or start.epoch != self._last.epoch:
            self.on_epoch_end()
            self._passed_over, self._is_said = 0, False
        elif start < self._next:
            # Training went back to a checkpoint.
            self._passed_over = 0
        elif self._next.epoch == start.epoch:
            self._passed_over += start.step - self._next.step
