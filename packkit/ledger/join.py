"""The ledgers of all ranks joined to one history of training."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from packkit.ledger.lines import EpochPosition, LedgerStart, LedgerStep, RankRun

_Ranks = Sequence[Sequence[RankRun]]


class JoinedStep(NamedTuple):
    """A step with what all ranks of its run noted of it.

    Attributes:
        run: Where its run starts.
        cursor: Where it begins.
        packs: Ids of the packs of all ranks; -1 for fillers.
        masked: Samples that were ignored.
    """

    run: LedgerStart
    cursor: EpochPosition
    packs: list[int]
    masked: int

    @property
    def end(self) -> EpochPosition:
        """Where it ends."""
        epoch, position = self.cursor
        return epoch, position + self.run.packs_per_step


class JoinedRun(NamedTuple):
    """A run with what all its ranks noted of it.

    Attributes:
        start: Where it starts.
        steps: Steps that all ranks noted, in order.
        open_steps: Steps after those, that only some noted.
        problems: One line each, where ranks do not agree.
    """

    start: LedgerStart
    steps: list[JoinedStep]
    open_steps: int
    problems: list[str]


class History(NamedTuple):
    """What led to the weights that training ended with.

    Attributes:
        runs: Runs of the rank, each as far as the next one went on from it.
        problems: One line each, where ranks do not agree.
    """

    runs: list[JoinedRun]
    problems: list[str]


def join_ranks(ranks: _Ranks) -> History:
    """Joins what every rank noted.

    Args:
        ranks: Every run that each started, as `read_ranks` gives them; at least one rank.
    """
    problems = [
        f"{run.start.name}: rank {rank} made it, rank 0 did not start it"
        for rank, runs_of_rank in enumerate(ranks)
        for run in runs_of_rank
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
    numbered = enumerate(ranks[: start.world_size])
    return [*(rank for rank, runs in numbered if not _runs_from(runs, start)), *missing]


def _join(run: RankRun, ranks: _Ranks) -> JoinedRun:
    """Joins a run of rank 0 with those of the others that started in the same place.

    A run that was killed before all ranks noted its first step has neither steps nor problems.
    """
    start = run.start
    if absent := _absent(start, ranks):
        lines = [f"{start.name}: rank {rank} did not start it" for rank in absent]
        return JoinedRun(start, [], 0, lines if len(run.steps) > 1 else [])
    # A rank may have started in the same place more than once, perhaps once more than another. Its
    # steps are the same each time, so that any that it noted will do.
    others = [_runs_from(runs_of_rank, start) for runs_of_rank in ranks[1 : start.world_size]]
    noted = [_by_cursor([run]), *map(_by_cursor, others)]
    everywhere, somewhere = set.intersection(*map(set, noted)), set.union(*map(set, noted))
    last = max(everywhere or noted[0], default=start.cursor)
    problems = [
        f"{start.name}: rank {rank} has no step at epoch {epoch} position {position}"
        for rank, steps in enumerate(noted)
        for epoch, position in sorted(somewhere - set(steps))
        # A kill stops one rank sooner than another, but at the very end alone.
        if (epoch, position) < last
    ]
    latest = [_by_cursor(runs[-1:]) for runs in ([run], *others)]
    steps = [
        _join_step(start, [steps_at[cursor] for steps_at in noted]) for cursor in sorted(everywhere)
    ]
    return JoinedRun(start, steps, len(set.union(*map(set, latest)) - everywhere), problems)


def _by_cursor(runs: Sequence[RankRun]) -> dict[EpochPosition, LedgerStep]:
    return {step.cursor: step for run in runs for step in run.steps}


def _join_step(start: LedgerStart, steps: Sequence[LedgerStep]) -> JoinedStep:
    packs = [pack for step in steps for pack in step.packs]
    return JoinedStep(start, steps[0].cursor, packs, sum(len(step.masked) for step in steps))


def _history(runs: Sequence[JoinedRun]) -> list[JoinedRun]:
    """Returns the runs that led to the last one, each as far as the next went on from it."""
    histories: list[list[JoinedRun]] = [[]]
    for run in runs:
        before = (_cut(history, run.start.cursor) for history in reversed(histories))
        # It went on from the latest time that training stood in the place where it starts.
        fitting = (history for history in before if history and _end(history) == run.start.cursor)
        histories.append([*next(fitting, _cut(histories[-1], run.start.cursor)), run])
    return histories[-1]


def _cut(history: Sequence[JoinedRun], cursor: EpochPosition) -> list[JoinedRun]:
    """Returns a history as far as to a cursor."""
    left = [run for run in history if run.start.cursor < cursor]
    if left:
        last = left[-1]
        kept = bisect_left(last.steps, cursor, key=lambda step: step.cursor)
        left[-1] = last._replace(steps=last.steps[:kept])
    return left


def _end(history: Sequence[JoinedRun]) -> EpochPosition:
    last = history[-1]
    return last.start.normal(last.steps[-1].end) if last.steps else last.start.cursor
