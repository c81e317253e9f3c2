"""The proof that a ledger gives: see `packkit.ledger`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from packkit.ledger.lines import Cursor, LedgerStart, LedgerStep, RankLedger, read_ranks
from packkit.orders import Split, hold_out
from packkit.shards import PackReader

__all__ = ["EpochReport", "LedgerReport", "check_ledger"]


@dataclass(slots=True)
class EpochReport:
    """What was consumed of one epoch.

    Attributes:
        epoch: its number.
        steps: steps that all ranks noted.
        packs: packs taken, each counted as often as it was.
        fillers: fillers taken.
        dropped: packs left out at its end, where the tail is dropped.
        missing: packs never taken, of a finished epoch.
        repeated: packs taken more than once.
        masked: samples ignored.
        finished: whether its last step was made.
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
        runs: runs that training consists of.
        steps: steps that all ranks noted.
        open_steps: steps at the end that not all ranks noted.
        epochs: one entry an epoch.
        problems: one line each; empty means that the proof holds.
    """

    runs: int = 0
    steps: int = 0
    open_steps: int = 0
    epochs: list[EpochReport] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form."""
        return asdict(self)


class _Joined(NamedTuple):
    """A step with what all ranks of its run noted of it."""

    run: LedgerStart
    cursor: Cursor
    packs: list[int]
    masked: int

    @property
    def end(self) -> Cursor:
        """Where it ends."""
        epoch, position = self.cursor
        return epoch, position + self.run.packs_per_step


def check_ledger(folder: str | Path, packs: Sequence[str | Path]) -> LedgerReport:
    """Proves that training consumed every pack exactly once per epoch, or says where it did not.

    Args:
        folder: of the ledger.
        packs: the pack sets that the loader was given, in its order.

    Raises:
        FormatError: there is no ledger, a line of it cannot be read, or a path holds no packs.
    """
    report = LedgerReport()
    ranks = read_ranks(folder)
    sets = _Sets(packs)
    steps: list[_Joined] = []
    starts = ranks[0].starts
    ends: list[LedgerStart | None] = [*starts[1:], None]
    for start, end in zip(starts, ends, strict=True):
        report.runs += 1
        sets.compare(start, report)
        steps += _join_run(ranks, start, end, report)
    report.steps = len(steps)
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
        self._counts = [np.zeros(size, np.int64) for size in self._sizes]

    def compare(self, run: LedgerStart, report: LedgerReport) -> None:
        """Notes where a run was made with other packs."""
        if run.contents != self._contents:
            report.problems.append(
                f"run from epoch {run.epoch} position {run.position}: made with packs of contents "
                f"{run.contents}, given are {self._contents}"
            )

    def count(self, packs: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns how often each pack of all sets stands among ids; those unknown not counted."""
        total = sum(self._sizes)
        return np.bincount(packs[packs < total], minlength=total)

    def members(self, run: LedgerStart) -> list[NDArray[np.int64]]:
        """Returns the ids of the packs of each set that a run goes through."""
        split: Split = "validation" if run.split == "validation" else "train"
        firsts = np.cumsum([0, *self._sizes])
        return [
            first + hold_out(size, run.validation_fraction, split)
            for first, size in zip(firsts, self._sizes, strict=False)
        ]


def _join_run(
    ranks: Sequence[RankLedger], start: LedgerStart, end: LedgerStart | None, report: LedgerReport
) -> Iterator[_Joined]:
    """Yields the steps that all ranks of a run noted."""
    name = f"run from epoch {start.epoch} position {start.position}"
    noted: list[dict[Cursor, LedgerStep]] = []
    for rank in range(start.world_size):
        if rank >= len(ranks) or start not in ranks[rank].starts:
            report.problems.append(f"{name}: rank {rank} did not start it")
            return
        mine = (step for step in ranks[rank].steps if step.cursor >= start.cursor)
        noted.append({one.cursor: one for one in mine if end is None or one.cursor < end.cursor})
    everywhere = set.intersection(*(set(own) for own in noted))
    for rank, own in enumerate(noted):
        # A killed run may have stopped one rank sooner than another, at its very end alone.
        for cursor in sorted(set.union(*(set(one) for one in noted)) - set(own)):
            if end is not None or any(later > cursor for later in everywhere):
                report.problems.append(
                    f"{name}: rank {rank} has no step at epoch {cursor[0]} position {cursor[1]}"
                )
    if end is None:
        report.open_steps = len(set.union(*(set(own) for own in noted)) - everywhere)
    for cursor in sorted(everywhere):
        steps = [own[cursor] for own in noted]
        yield _Joined(
            start,
            cursor,
            [pack for step in steps for pack in step.packs],
            sum(len(step.masked) for step in steps),
        )


def _check_chain(steps: Sequence[_Joined], report: LedgerReport) -> None:
    """Sees that each step begins where the one before it ended."""
    if steps and steps[0].cursor[1]:
        epoch, position = steps[0].cursor
        report.problems.append(f"the ledger begins inside epoch {epoch}, at position {position}")
    for before, step in pairwise(steps):
        # With another number of packs a step, the end of an epoch can come sooner.
        wanted = step.run.normal(before.run.normal(before.end))
        if step.cursor != wanted:
            report.problems.append(
                f"after epoch {wanted[0]} position {wanted[1]} comes "
                f"epoch {step.cursor[0]} position {step.cursor[1]}"
            )


def _check_epochs(steps: Sequence[_Joined], sets: _Sets, report: LedgerReport) -> None:
    consumed = sets.count(np.empty(0, np.int64))
    dropped = 0
    for epoch, group in groupby(steps, key=lambda step: step.cursor[0]):
        own = list(group)
        run, last = own[-1].run, own[-1]
        packs = np.array([pack for step in own for pack in step.packs], np.int64)
        real = packs[packs >= 0]
        counts = sets.count(real)
        found = EpochReport(epoch, len(own), len(real), len(packs) - len(real))
        found.masked = sum(step.masked for step in own)
        found.finished = last is not steps[-1] or run.normal(last.end)[0] > epoch
        total = sum(run.packs_of_set)
        if found.finished and run.tail == "drop":
            found.dropped = total - min(last.end[1], total)
        members = sets.members(run)
        is_member = np.zeros(len(counts), bool)
        is_member[np.concatenate(members)] = True
        if strangers := len(real) - int(counts[is_member].sum()):
            report.problems.append(f"epoch {epoch}: {strangers} packs that it does not go through")
        consumed += counts
        dropped += found.dropped
        if run.has_shares:
            _check_shares(epoch, [consumed[own_packs] for own_packs in members], dropped, report)
        else:
            found.repeated = int(np.count_nonzero(counts > 1))
            if found.finished:
                found.missing = int(np.count_nonzero(counts[is_member] == 0)) - found.dropped
        if found.repeated or found.missing:
            report.problems.append(
                f"epoch {epoch}: {found.repeated} packs taken more than once, "
                f"{found.missing} not at all"
            )
        report.epochs.append(found)


def _check_shares(
    epoch: int, consumed: Sequence[NDArray[np.int64]], dropped: int, report: LedgerReport
) -> None:
    """Sees that no pack of a set lags two behind another, but for those that were dropped."""
    for number, counts in enumerate(consumed):
        lag = int(np.maximum(counts.max(initial=0) - 1 - counts, 0).sum())
        if lag > dropped:
            report.problems.append(
                f"epoch {epoch}: packs of set {number} were passed over {lag} times, "
                f"{dropped} were dropped"
            )
