"""The proof that every pack was consumed once per epoch: see `packkit.ledger`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packkit.base.orders import Split, hold_out
from packkit.ledger.join import JoinedStep, join_ranks
from packkit.ledger.lines import LedgerStart, read_ranks
from packkit.shards import PackReader


@dataclass(slots=True)
class EpochReport:
    """What was consumed of one epoch.

    Attributes:
        epoch: Number of the epoch, from 0.
        steps: Number of steps that all ranks noted.
        packs: Number of packs taken; a pack taken twice counts twice.
        fillers: Number of fillers taken.
        dropped: Number of packs left out at the end of the epoch, where the tail is dropped.
        missing: Number of packs of a finished epoch that were never taken.
        repeated: Number of packs taken more than once.
        masked: Number of samples that were ignored.
        finished: Whether the last step of the epoch was made.
    """

    epoch: int
    steps: int = 0
    packs: int = 0
    fillers: int = 0
    dropped: int = 0
    missing: int = 0
    repeated: int = 0
    masked: int = 0
    finished: bool = False


@dataclass(slots=True)
class LedgerReport:
    """What a ledger proves.

    Attributes:
        runs: Number of runs that training consists of.
        steps: Number of steps that all ranks noted.
        open_steps: Number of steps at the end of the last run that not all ranks noted.
        epochs: One report for each epoch, in order.
        problems: One message for each fault; empty means that the proof holds.
    """

    runs: int = 0
    steps: int = 0
    open_steps: int = 0
    epochs: list[EpochReport] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form."""
        return asdict(self)


def check_ledger(folder: str | Path, packs: Sequence[str | Path]) -> LedgerReport:
    """Proves that training consumed every pack exactly once per epoch, or says where it did not.

    Args:
        folder: Folder of the ledger.
        packs: Folders of the pack sets that the loader was given, in the same order.

    Raises:
        FormatError: There is no ledger, a line of it cannot be read, or a folder holds no packs.
    """
    runs, problems = join_ranks(read_ranks(folder))
    steps = [step for run in runs for step in run.steps]
    open_steps = runs[-1].open_steps if runs else 0
    report = LedgerReport(len(runs), len(steps), open_steps, problems=problems)
    sets = _Sets(packs)
    for run in runs:
        sets.compare(run.start, report)
    _check_steps(steps, report)
    _check_chain(steps, report)
    _check_epochs(steps, sets, report)
    return report


class _Sets:
    """The packs that a loader goes through."""

    def __init__(self, paths: Sequence[str | Path]) -> None:
        self._sizes: list[int] = []
        self._contents: list[str] = []
        for path in paths:
            with PackReader(path) as reader:
                self._sizes.append(len(reader))
                self._contents.append(reader.content_hash)

    def compare(self, run: LedgerStart, report: LedgerReport) -> None:
        """Adds a problem where a run was made with other packs."""
        if run.contents != self._contents:
            report.problems.append(
                f"{run.name}: made with packs of contents {run.contents}, "
                f"given are {self._contents}"
            )

    def count(self, packs: Sequence[int]) -> NDArray[np.int64]:
        """Returns how often each pack of all sets is among ids; int64 [packs], without fillers."""
        ids, total = np.array(packs, np.int64), sum(self._sizes)
        return np.bincount(ids[(ids >= 0) & (ids < total)], minlength=total)

    def members(self, run: LedgerStart) -> list[NDArray[np.int64]]:
        """Returns the ids of the packs that a run goes through; int64 [n] for each set."""
        split: Split = "validation" if run.split == "validation" else "train"
        firsts = np.cumsum([0, *self._sizes])
        return [
            first + hold_out(size, run.validation_fraction, split)
            for first, size in zip(firsts, self._sizes, strict=False)
        ]


def _check_steps(steps: Sequence[JoinedStep], report: LedgerReport) -> None:
    """Checks that each step holds as many packs as it must, and fillers only where none is left."""
    for step in steps:
        epoch, position = step.cursor
        wanted = min(step.run.packs_per_step, sum(step.run.packs_of_set) - position)
        packs = sum(pack >= 0 for pack in step.packs)
        if packs != wanted or len(step.packs) != step.run.packs_per_step:
            report.problems.append(
                f"epoch {epoch} position {position}: {packs} packs and {len(step.packs) - packs} "
                f"fillers, must be {wanted} and {step.run.packs_per_step - wanted}"
            )


def _check_chain(steps: Sequence[JoinedStep], report: LedgerReport) -> None:
    """Checks that each step begins where the one before it ended."""
    if not steps:
        return
    wanted = steps[0].run.normal(steps[0].run.cursor)
    if wanted[1]:
        report.problems.append(
            f"the ledger begins inside epoch {wanted[0]}, at position {wanted[1]}"
        )
    for step in steps:
        # With another number of packs a step, the end of an epoch can come sooner.
        wanted = step.run.normal(wanted)
        if step.cursor != wanted:
            report.problems.append(
                f"after epoch {wanted[0]} position {wanted[1]} comes "
                f"epoch {step.cursor[0]} position {step.cursor[1]}"
            )
        wanted = step.run.normal(step.end)


def _check_epochs(steps: Sequence[JoinedStep], sets: _Sets, report: LedgerReport) -> None:
    epochs = [list(group) for _, group in groupby(steps, key=lambda step: step.cursor[0])]
    consumed = sets.count([])
    dropped = 0
    for epoch_steps, following in zip(epochs, [*epochs[1:], None], strict=False):
        epoch = _sum_up(epoch_steps, None if following is None else following[0].run)
        report.epochs.append(epoch)
        run = epoch_steps[0].run
        counts = sets.count([pack for step in epoch_steps for pack in step.packs])
        members = sets.members(run)
        consumed += counts
        dropped += epoch.dropped
        if strangers := epoch.packs - sum(int(counts[ids].sum()) for ids in members):
            report.problems.append(
                f"epoch {epoch.epoch}: {strangers} packs that it does not go through"
            )
        if run.has_shares:
            taken = [int(counts[ids].sum()) for ids in members]
            _check_taken(epoch.epoch, taken, run.packs_of_set, report)
            lags = [_lag(consumed[ids], begins_late=steps[0].cursor[0] > 0) for ids in members]
            _check_lags(epoch.epoch, lags, dropped, report)
        else:
            _check_counts(epoch, counts, np.concatenate(members), report)


def _sum_up(steps: Sequence[JoinedStep], following: LedgerStart | None) -> EpochReport:
    """Returns what the steps of an epoch hold, given the run that goes on after them."""
    last, packs = steps[-1], [pack for step in steps for pack in step.packs]
    real = sum(pack >= 0 for pack in packs)
    epoch = EpochReport(last.cursor[0], len(steps), real, len(packs) - real)
    epoch.masked = sum(step.masked for step in steps)
    epoch.finished = following is not None or last.run.normal(last.end)[0] > epoch.epoch
    epoch.dropped = _dropped(last, following)
    return epoch


def _dropped(last: JoinedStep, following: LedgerStart | None) -> int:
    """Returns the places after the last step of an epoch that its run, or the next, left out."""
    for run in (last.run, following):
        if run is not None and run.tail == "drop" and run.normal(last.end)[0] > last.cursor[0]:
            return max(0, sum(run.packs_of_set) - last.end[1])
    return 0


def _check_counts(
    epoch: EpochReport,
    counts: NDArray[np.int64],
    members: NDArray[np.int64],
    report: LedgerReport,
) -> None:
    """Checks that no pack was taken twice, and in a finished epoch each once."""
    epoch.repeated = int(np.count_nonzero(counts > 1))
    if epoch.finished:
        epoch.missing = int(np.count_nonzero(counts[members] == 0)) - epoch.dropped
    if epoch.repeated or epoch.missing:
        report.problems.append(
            f"epoch {epoch.epoch}: {epoch.repeated} packs taken more than once, "
            f"{epoch.missing} not at all"
        )


def _check_taken(
    epoch: int, taken: Sequence[int], wanted: Sequence[int], report: LedgerReport
) -> None:
    """Checks that an epoch takes no more packs of a set than its share."""
    for number, (packs, share) in enumerate(zip(taken, wanted, strict=False)):
        if packs > share:
            report.problems.append(
                f"epoch {epoch}: {packs} packs of set {number} taken, its share is {share}"
            )


def _lag(counts: NDArray[np.int64], *, begins_late: bool) -> int:
    """Returns how often packs of a set were passed over: were taken two times less than another.

    Passes over a set continue across epochs. Where a ledger begins with a later epoch, its first
    pass may have begun before it, so that packs may be behind by one more.
    """
    return int(np.maximum(counts.max(initial=0) - 1 - begins_late - counts, 0).sum())


def _check_lags(epoch: int, lags: Sequence[int], dropped: int, report: LedgerReport) -> None:
    """Checks that no packs were passed over but those that were dropped."""
    for number, lag in enumerate(lags):
        if lag > dropped:
            report.problems.append(
                f"epoch {epoch}: packs of set {number} were passed over {lag} times, "
                f"{dropped} were dropped"
            )
