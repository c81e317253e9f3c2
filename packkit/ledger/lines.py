"""The lines of a ledger: where a run starts, and what one rank consumes at each step."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from packkit.base.append_log import AppendLog, read_log
from packkit.base.errors import FormatError

# A rank's number in the name of its file has at least these.
_DIGITS = 5

# A line is a start or a step.
_FIRST_FIELDS = ("start", "epoch")

EpochPosition = tuple[int, int]
"""Number of an epoch, and how many places of its order are consumed."""


class LedgerStart(NamedTuple):
    """Where and how a run starts.

    It starts where the run before it stood. A run that drops what is left of the epoch makes its
    first step at the beginning of the next.

    Attributes:
        epoch: Number of the epoch, from 0.
        position: Number of places of the epoch's order that are consumed.
        world_size: Number of ranks.
        packs_per_step: Number of packs of a step, over all ranks.
        tail: ``fill`` or ``drop``, the treatment of the last step of an epoch.
        packs_of_set: Number of packs that an epoch takes from each set.
        has_shares: Whether an epoch takes shares of the sets, not all of their packs.
        split: ``train`` or ``validation``, the part of each set that is consumed.
        validation_fraction: Share of each set that is held out, in [0, 1).
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
    def cursor(self) -> EpochPosition:
        """Epoch and position of the start."""
        return self.epoch, self.position

    @property
    def name(self) -> str:
        """The run's name in messages."""
        return f"run from epoch {self.epoch} position {self.position}"

    def normal(self, cursor: EpochPosition) -> EpochPosition:
        """Returns the beginning of the next epoch where a run like this makes no further step."""
        epoch, position = cursor
        left = sum(self.packs_of_set) - position
        is_over = left <= 0 if self.tail == "fill" else left < self.packs_per_step
        return (epoch + 1, 0) if is_over else cursor


class LedgerStep(NamedTuple):
    """What one rank consumed in one step.

    Attributes:
        epoch: Number of the epoch, from 0.
        step: Number of the step in the epoch, from 0.
        position: Place of the epoch's order at which the step begins.
        packs: Ids of the packs; -1 for fillers.
        masked: One message for each sample ignored because an image of it cannot be decoded.
    """

    epoch: int
    step: int
    position: int
    packs: list[int]
    masked: list[str]

    @property
    def cursor(self) -> EpochPosition:
        """Epoch and position at which the step begins."""
        return self.epoch, self.position


class LedgerWriter:
    """Appends what one rank consumes to its ledger.

    A line is handed to the system before the batch is handed out, so that a killed process leaves a
    whole ledger behind, except perhaps for an unfinished last line, which the next start mends.

    Args:
        folder: Folder of the ledger; made where it is missing.
        rank: Number of the rank that consumes.
    """

    def __init__(self, folder: str | Path, rank: int) -> None:
        self.path = _path(folder, rank)
        self._next: EpochPosition | None = None

    def write(self, start: LedgerStart, step: LedgerStep, end: EpochPosition) -> None:
        """Notes a step.

        Args:
            start: Where and how the run starts, should it start at this step.
            step: What the rank consumes in the step.
            end: Epoch and position after the step.

        Raises:
            FormatError: The file of the rank ends in something that is not of a ledger.
            OSError: The step cannot be written; the next one is noted as a new start.
        """
        is_start, self._next = step.cursor != self._next, None
        if is_start:
            self._log = AppendLog(self.path, _FIRST_FIELDS)
            self._log.append({"start": start._asdict()}, step._asdict())
        else:
            self._log.append(step._asdict())
        self._next = end


class RankRun(NamedTuple):
    """What one rank noted of one run.

    Attributes:
        start: Where and how the run starts.
        steps: Steps of the run, in order.
    """

    start: LedgerStart
    steps: list[LedgerStep]


def read_ranks(folder: str | Path) -> list[list[RankRun]]:
    """Reads what the ranks, from 0 to the last, noted.

    Args:
        folder: Folder of the ledger.

    Returns:
        For each rank every run that it started, in order of time; none where its file is missing.

    Raises:
        FormatError: The folder holds no file of a rank, or a line is not of a ledger.
    """
    paths = {_rank(path): path for path in Path(folder).glob("rank-*.jsonl")}
    if not paths:
        raise FormatError(folder, "holds no rank-*.jsonl: it is no ledger")
    return [_read_runs(paths[rank]) if rank in paths else [] for rank in range(max(paths) + 1)]


def _read_runs(path: Path) -> list[RankRun]:
    runs: list[RankRun] = []
    for number, record in read_log(path, _FIRST_FIELDS):
        try:
            if "start" in record:
                runs.append(RankRun(LedgerStart(**record["start"]), []))
                continue
            step = LedgerStep(**record)
        except TypeError as error:
            raise FormatError(f"{path}: line {number}", f"is not of a ledger ({error})") from None
        if not runs or not _follows(step, runs[-1]):
            raise FormatError(
                f"{path}: line {number}", "is a step that follows no other, nor a start"
            )
        runs[-1].steps.append(step)
    return runs


def _follows(step: LedgerStep, run: RankRun) -> bool:
    return step.cursor > run.steps[-1].cursor if run.steps else step.cursor >= run.start.cursor


def _rank(path: Path) -> int:
    number = path.stem.removeprefix("rank-")
    if not (number.isascii() and number.isdecimal() and len(number) >= _DIGITS):
        raise FormatError(path, "is not named after a rank, rank-00000.jsonl")
    return int(number)


def _path(folder: str | Path, rank: int) -> Path:
    return Path(folder) / f"rank-{rank:0{_DIGITS}d}.jsonl"
