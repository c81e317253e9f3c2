"""What `assess` says: how far it is, what it came to, what it would come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from packkit.infimed.chat import Limit, RunProgress, Spending, State

__all__ = ["AssessProgress", "AssessRun", "CostEstimate", "DataSetReport"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSetReport:
    """What became of one data set.

    Attributes:
        name: of the data set.
        read: records read.
        repeated: records that say the same as one drawn, id included.
        unreadable: records that make no sample or whose images cannot be decoded, by reason.
        examples: the first few of those, with place and reason.
        drawn: samples drawn.
        states: how many of them are in which state.
        left: samples that nothing was asked about yet. Every sample drawn is in one state or left.
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
        out: file of the results.
        model: the judge.
        prompt_version: of the rubric and its prompt.
        data_sets: what became of each data set.
        reached: the limit that ended the run, if one did.
        spent: by this run.
        total: by all runs into the file.
        unmetered: replies of this run for which the server did not say how many tokens they took.
        torn_bytes: of an unfinished last line, left by a run that was killed and now cut off.
        seconds: that the run took.
    """

    out: str
    model: str
    prompt_version: str
    data_sets: Sequence[DataSetReport]
    reached: Limit | None
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
        model: the judge.
        samples: drawn from each data set.
        answered: samples that have scores already, or share them with one that has.
        requests: that would be sent.
        prompt_tokens: of all of them.
        completion_tokens: of all replies, `packkit.infimed.curation.assess.REPLY_TOKENS` each.
        cost: in the currency of the prices; None without prices.
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
        drawing: name of the data set that is being read; empty once all are.
        total: requests of the run.
        run: how far they are; None before the first outcome.
    """

    drawing: str = ""
    total: int = 0
    run: RunProgress | None = None
