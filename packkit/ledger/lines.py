"""The lines of a ledger: where a run starts, and what one rank consumes at each step."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from packkit.errors import FormatError

__all__ = ["Cursor", "LedgerStart", "LedgerStep", "LedgerWriter", "RankRun", "read_ranks"]

Cursor = tuple[int, int]
"""An epoch, and the places of its order that are consumed."""


class LedgerStart(NamedTuple):
    """Where a run starts, and how.

    Attributes:
        epoch: number of the epoch.
        position: places of its order that are consumed.
        world_size: number of ranks.
        packs_per_step: packs of a step, over all ranks.
        tail: ``fill`` or ``drop``.
        packs_of_set: packs that an epoch takes from each set.
        has_shares: whether those are shares of the sets, not all of them.
        split: ``train`` or ``validation``.
        validation_fraction: how much of each set is held out.
        contents: `PackReader.content_hash` of each set.
    """

    epoch: int
    position: int
    world_size: int
    packs_per_step: int
    tail: str
    packs_of_set: list[int]
    has_shares: bool
    split: str
    validation_fraction: float
    contents: list[str]

    @property
    def cursor(self) -> Cursor:
        """Where it starts."""
        return self.epoch, self.position

    def normal(self, cursor: Cursor) -> Cursor:
        """Returns the beginning of the next epoch where a run like this makes no further step."""
        epoch, position = cursor
        left = sum(self.packs_of_set) - position
        is_over = left <= 0 if self.tail == "fill" else left < self.packs_per_step
        return (epoch + 1, 0) if is_over else cursor


class LedgerStep(NamedTuple):
    """What one rank consumed in one step.

    Attributes:
        epoch: number of the epoch.
        step: number of the step in it.
        position: place of its order at which the step begins.
        packs: ids of the packs; -1 for fillers.
        masked: a line for each sample that was ignored for an image that cannot be decoded.
    """

    epoch: int
    step: int
    position: int
    packs: list[int]
    masked: list[str]

    @property
    def cursor(self) -> Cursor:
        """Where it begins."""
        return self.epoch, self.position


class LedgerWriter:
    """Appends what one rank consumes to its ledger.

    A line is handed to the system before the batch is handed out, so a killed process leaves a
    whole ledger behind, but perhaps for a torn last line, which is cut off at the next start.

    Args:
        folder: of the ledger; made where it is missing.
        rank: whose ledger.
    """

    def __init__(self, folder: str | Path, rank: int) -> None:
        self.path = _path(folder, rank)
        self._next: Cursor | None = None

    def write(self, start: LedgerStart, step: LedgerStep, end: Cursor) -> None:
        """Notes a step.

        Args:
            start: the run, were it to start at this step.
            step: what is consumed.
            end: epoch and position afterwards.
        """
        lines = orjson.dumps(step._asdict()) + b"\n"
        if step.cursor != self._next:
            _cut_torn_line(self.path)
            lines = orjson.dumps({"start": start._asdict()}) + b"\n" + lines
        # What fails here, on a full disk perhaps, may have left a torn line.
        self._next = None
        # Opened anew each time: a step is long, and nothing is left open when a loader is dropped.
        with open(self.path, "ab") as file:
            file.write(lines)
        self._next = end


class RankRun(NamedTuple):
    """What one rank noted of one run.

    Attributes:
        start: where the run starts.
        steps: its steps, in order.
    """

    start: LedgerStart
    steps: list[LedgerStep]


def read_ranks(folder: str | Path) -> list[list[RankRun]]:
    """Reads what the ranks, from 0 to the last, noted, less what they took back.

    A run is left out of which some rank did not note even the first step: nothing came of it, and
    so nothing is taken back by it.

    Raises:
        FormatError: there is none, a rank has none, or a line is not of a ledger.
    """
    paths = sorted(Path(folder).glob("rank-*.jsonl"))
    if not paths:
        raise FormatError(folder, "holds no rank-*.jsonl: it is no ledger")
    for rank, path in enumerate(paths):
        if path != _path(folder, rank):
            raise FormatError(_path(folder, rank), "is missing")
    files = [_read_runs(path) for path in paths]
    ranks = [_take_back(runs) for runs in files]
    while vain := [rank for rank, runs in enumerate(files) if _is_vain(runs, ranks)]:
        for rank in vain:
            del files[rank][-1]
            ranks[rank] = _take_back(files[rank])
    return ranks


def _read_runs(path: Path) -> list[RankRun]:
    """Returns every run that a rank ever started."""
    runs: list[RankRun] = []
    # What follows the last line end is a line that was torn when the process was killed.
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1]):
        try:
            record = orjson.loads(line)
            if "start" in record:
                runs.append(RankRun(LedgerStart(**record["start"]), []))
                continue
            step = LedgerStep(**record)
        except (ValueError, TypeError) as error:
            raise FormatError(path, f"line {number + 1} is not of a ledger ({error})") from None
        if not runs or not _follows(step, runs[-1]):
            raise FormatError(
                path, f"line {number + 1} is a step that follows no other, nor a start"
            )
        runs[-1].steps.append(step)
    return runs


def _follows(step: LedgerStep, run: RankRun) -> bool:
    return step.cursor > run.steps[-1].cursor if run.steps else step.cursor >= run.start.cursor


def _take_back(runs: Sequence[RankRun]) -> list[RankRun]:
    """Returns the runs less what each took back: all that came at its start or after it."""
    left: list[RankRun] = []
    for run in runs:
        while left and left[-1].start.cursor >= run.start.cursor:
            left.pop()
        if left:
            start, steps = left[-1]
            kept = bisect_left(steps, run.start.cursor, key=lambda step: step.cursor)
            left[-1] = RankRun(start, steps[:kept])
        left.append(run)
    return left


def _is_vain(runs: Sequence[RankRun], ranks: Sequence[Sequence[RankRun]]) -> bool:
    """Whether a rank made at most one step of its last run, and another rank none."""
    if not runs or len(runs[-1].steps) > 1:
        return False
    start = runs[-1].start
    starters = sum(any(run.start == start for run in own) for own in ranks[: start.world_size])
    return starters < start.world_size


def _path(folder: str | Path, rank: int) -> Path:
    return Path(folder) / f"rank-{rank:05d}.jsonl"


def _cut_torn_line(path: Path) -> None:
    """Cuts off what follows the last line end, and makes the file where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+b") as file:
        file.seek(0)
        data = file.read()
        file.truncate(data.rfind(b"\n") + 1)
