"""One history of training, joined from the ledgers of all ranks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from packkit.ledger.lines import EpochPosition, LedgerStart, LedgerStep, RankRun

_Ranks = Sequence[Sequence[RankRun]]


class JoinedStep(NamedTuple):
    """A step with what all ranks of its run noted of it.

    Attributes:
        run: Where and how the run of the step starts.
        cursor: Epoch and position at which the step begins.
        packs: Ids of the packs of all ranks; -1 for fillers.
        masked: Number of samples that were ignored.
    """

    run: LedgerStart
    cursor: EpochPosition
    packs: list[int]
    masked: int

    @property
    def end(self) -> EpochPosition:
        """Epoch and position at which the step ends."""
        epoch, position = self.cursor
        return epoch, position + self.run.packs_per_step


class JoinedRun(NamedTuple):
    """A run with what all its ranks noted of it.

    Attributes:
        start: Where and how the run starts.
        steps: Steps that all ranks noted, in order.
        open_steps: Number of later steps that only some ranks noted.
        problems: One message for each disagreement of the ranks.
    """

    start: LedgerStart
    steps: list[JoinedStep]
    open_steps: int
    problems: list[str]


class History(NamedTuple):
    """What led to the weights that training ended with.

    Attributes:
        runs: Runs in order, each up to where the next one started.
        problems: One message for each disagreement of the ranks.
    """

    runs: list[JoinedRun]
    problems: list[str]


def join_ranks(ranks: _Ranks) -> History:
    """Joins what every rank noted.

    Args:
        ranks: Runs of each rank, from `read_ranks`; at least one rank.
    """
    problems = [
        f"{run.start.name}: rank {rank} made it, rank 0 did not start it"
        for rank, runs in enumerate(ranks)
        for run in runs
        if len(run.steps) > 1 and not _runs_from(ranks[0], run.start)
    ]
    if not ranks[0]:
        problems.append("rank 0 noted nothing")
    joined = [_join(run, ranks) for run in ranks[0]]
    history = _history([run for run in joined if run.steps or run.problems])
    return History(history, [*problems, *(line for run in history for line in run.problems)])


def _runs_from(runs: Sequence[RankRun], start: LedgerStart) -> list[RankRun]:
    return [run for run in runs if run.start == start]


def _absent(start: LedgerStart, ranks: _Ranks) -> list[int]:
    """Returns the ranks that did not start a run."""
    missing = range(len(ranks), start.world_size)
    present = enumerate(ranks[: start.world_size])
    return [*(rank for rank, runs in present if not _runs_from(runs, start)), *missing]


def _join(run: RankRun, ranks: _Ranks) -> JoinedRun:
    """Joins a run of rank 0 with those of the others that started in the same place.

    A run that was killed before all ranks noted its first step has neither steps nor problems.
    """
    start = run.start
    if absent := _absent(start, ranks):
        lines = [f"{start.name}: rank {rank} did not start it" for rank in absent]
        return JoinedRun(start, [], 0, lines if len(run.steps) > 1 else [])
    # A rank may have started in the same place more often than another. Its steps are the same each
    # time, so it does not matter in which run it noted them.
    others = [_runs_from(runs, start) for runs in ranks[1 : start.world_size]]
    noted = [_by_cursor([run]), *map(_by_cursor, others)]
    everywhere, somewhere = set.intersection(*map(set, noted)), set.union(*map(set, noted))
    last = max(everywhere or noted[0], default=start.cursor)
    problems = [
        f"{start.name}: rank {rank} has no step at epoch {epoch} position {position}"
        for rank, steps in enumerate(noted)
        for epoch, position in sorted(somewhere - set(steps))
        # Only at the very end can a kill have stopped one rank sooner than another.
        if (epoch, position) < last
    ]
    latest = [_by_cursor(runs[-1:]) for runs in ([run], *others)]
    steps = [
        _join_step(start, [by_cursor[cursor] for by_cursor in noted])
        for cursor in sorted(everywhere)
    ]
    return JoinedRun(start, steps, len(set.union(*map(set, latest)) - everywhere), problems)


def _by_cursor(runs: Sequence[RankRun]) -> dict[EpochPosition, LedgerStep]:
    return {step.cursor: step for run in runs for step in run.steps}


def _join_step(start: LedgerStart, steps: Sequence[LedgerStep]) -> JoinedStep:
    packs = [pack for step in steps for pack in step.packs]
    return JoinedStep(start, steps[0].cursor, packs, sum(len(step.masked) for step in steps))


def _history(runs: Sequence[JoinedRun]) -> list[JoinedRun]:
    """Returns the runs that led to the last one, each up to where the next one started."""
    histories: list[list[JoinedRun]] = [[]]
    for run in runs:
        before = (_cut(history, run.start.cursor) for history in reversed(histories))
        # It continues the latest history that reached the place where it starts.
        fitting = (cut for cut in before if cut and _end(cut) == run.start.cursor)
        histories.append([*next(fitting, _cut(histories[-1], run.start.cursor)), run])
    return histories[-1]


def _cut(history: Sequence[JoinedRun], cursor: EpochPosition) -> list[JoinedRun]:
    """Returns the part of a history before a cursor."""
    left = [run for run in history if run.start.cursor < cursor]
    if left:
        last = left[-1]
        kept = bisect_left(last.steps, cursor, key=lambda step: step.cursor)
        left[-1] = last._replace(steps=last.steps[:kept])
    return left


def _end(history: Sequence[JoinedRun]) -> EpochPosition:
    last = history[-1]
    return last.start.normal(last.steps[-1].end) if last.steps else last.start.cursor
