"""The lines of a ledger: where a run starts, and what one rank consumes at each step."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import orjson

from packkit.errors import FormatError

__all__ = ["Cursor", "LedgerStart", "LedgerStep", "LedgerWriter", "RankLedger", "read_ranks"]

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
        # Opened anew each time: a step is long, and nothing is left open when a loader is dropped.
        with open(self.path, "ab", buffering=0) as file:
            file.write(lines)
        self._next = end


class RankLedger(NamedTuple):
    """What the file of one rank says, less what it took back.

    Attributes:
        starts: where its runs start, in order.
        steps: its steps, in order.
    """

    starts: list[LedgerStart]
    steps: list[LedgerStep]


def read_ranks(folder: str | Path) -> list[RankLedger]:
    """Reads the files of all ranks, from 0 to the last.

    Raises:
        FormatError: there is none, a rank has none, or a line is not of a ledger.
    """
    paths = sorted(Path(folder).glob("rank-*.jsonl"))
    if not paths:
        raise FormatError(folder, "holds no rank-*.jsonl: it is no ledger")
    for rank, path in enumerate(paths):
        if path != _path(folder, rank):
            raise FormatError(_path(folder, rank), "is missing")
    return [_read_rank(path) for path in paths]


def _read_rank(path: Path) -> RankLedger:
    starts: list[LedgerStart] = []
    steps: list[LedgerStep] = []
    # What follows the last line end is a line that was torn when the process was killed.
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1]):
        try:
            record = orjson.loads(line)
            if "start" not in record:
                steps.append(LedgerStep(**record))
                continue
            start = LedgerStart(**record["start"])
        except (ValueError, TypeError) as error:
            raise FormatError(path, f"line {number + 1} is not of a ledger ({error})") from None
        starts = [one for one in starts if one.cursor < start.cursor] + [start]
        steps = [one for one in steps if one.cursor < start.cursor]
    return RankLedger(starts, steps)


def _path(folder: str | Path, rank: int) -> Path:
    return Path(folder) / f"rank-{rank:05d}.jsonl"


def _cut_torn_line(path: Path) -> None:
    """Cuts off what follows the last line end, and makes the file where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+b") as file:
        file.seek(0)
        data = file.read()
        file.truncate(data.rfind(b"\n") + 1)
