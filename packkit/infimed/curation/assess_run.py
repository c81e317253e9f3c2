"""What `assess` says: how far it is, what it came to, what it would come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from packkit.infimed.chat import LimitName, Spending, State, TasksProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSetReport:
    """What became of one data set.

    Attributes:
        name: Of the data set.
        read: Records read.
        repeated: Records that say the same as one drawn, id included.
        unreadable: Records that make no sample or whose images cannot be decoded, by reason.
        examples: The first few of those, with place and reason.
        drawn: Samples drawn.
        states: How many of them are in which state.
        left: Samples that nothing was asked about yet. Every sample drawn is in one state or left.
    """

    name: str
    read: int
    repeated: int
    unreadable: Mapping[str, int]
    examples: Sequence[str]
    drawn: int
    states: Mapping[State, int]
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessRun:
    """What a run of `assess` came to.

    Attributes:
        out: File of the results.
        model: The judge.
        prompt_version: Of the rubric and its prompt.
        data_sets: What became of each data set.
        reached: The limit that ended the run, if one did.
        spent: By this run.
        total: By all runs into the file.
        unmetered: Replies of this run for which the server did not say how many tokens they took.
        torn_bytes: Of an unfinished last line, left by a run that was killed and now cut off.
        seconds: That the run took.
    """

    out: str
    model: str
    prompt_version: str
    data_sets: Sequence[DataSetReport]
    reached: LimitName | None
    spent: Spending
    total: Spending
    unmetered: int
    torn_bytes: int
    seconds: float

    @property
    def failed(self) -> int:
        """Samples to which the judge did not reply at all."""
        return sum(one.states.get("http_error", 0) for one in self.data_sets)

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostEstimate:
    """What a run would come to, if every request were answered at once.

    Attributes:
        model: The judge.
        samples: Drawn from each data set.
        answered: Samples that have scores already, or share them with one that has.
        requests: That would be sent.
        prompt_tokens: Of all of them.
        completion_tokens: Of all replies, `packkit.infimed.curation.assess.REPLY_TOKENS` each.
        cost: In the currency of the prices; None without prices.
    """

    model: str
    samples: Mapping[str, int]
    answered: int
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessProgress:
    """How far a run of `assess` is.

    Attributes:
        drawing: Name of the data set that is being read; empty once all are.
        total: Requests of the run.
        run: How far they are; None before the first outcome.
    """

    drawing: str = ""
    total: int = 0
    run: TasksProgress | None = None
