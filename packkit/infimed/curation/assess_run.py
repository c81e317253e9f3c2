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
        name: Name of the data set.
        read: Number of records read.
        repeated: Number of records that repeat a drawn one, id included.
        unreadable: Number of records that make no sample or whose images cannot be decoded, by
            reason.
        examples: The first few unreadable records, with place and reason.
        drawn: Number of samples drawn.
        states: Number of drawn samples in each state.
        left: Number of drawn samples that nothing was asked about yet; they are in no state.
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
        model: Name of the model that judges.
        prompt_version: Version of the rubric and its prompt.
        data_sets: What became of each data set.
        reached: Limit that ended the run; None where none did.
        spent: What the requests of this run came to.
        total: What the requests of all runs into the file came to.
        example: What came of the first sample without scores: its state, what went wrong, and how
            the reply begins, if there is one; empty where all have scores.
        unmetered: Replies of this run for which the server did not say how many tokens they took.
        torn_bytes: Bytes of an unfinished last line, left by a run that was killed, that were cut
            off.
        seconds: Duration of the run.
    """

    out: str
    model: str
    prompt_version: str
    data_sets: Sequence[DataSetReport]
    reached: LimitName | None
    spent: Spending
    total: Spending
    example: str
    unmetered: int
    torn_bytes: int
    seconds: float

    @property
    def failed(self) -> int:
        """Samples to which the judge did not reply at all."""
        return sum(report.states.get("http_error", 0) for report in self.data_sets)

    @property
    def is_fruitless(self) -> bool:
        """Whether the judge was asked, and not one sample has scores."""
        states = [report.states for report in self.data_sets]
        return any(states) and not any("ok" in counts for counts in states)

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostEstimate:
    """What a run would come to, if every request were answered at once.

    Attributes:
        model: Name of the model that judges.
        samples: Number of samples drawn from each data set.
        answered: Samples that have scores already, or share a request with one that has.
        requests: Requests that would be sent.
        prompt_tokens: Estimated tokens of all requests.
        completion_tokens: Estimated tokens of all replies,
            `packkit.infimed.curation.assessing.REPLY_TOKENS` each.
        cost: Estimated cost, in the currency of the prices; None without prices.
    """

    model: str
    samples: Mapping[str, int]
    answered: int
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessProgress:
    """How far a run of `assess` is.

    Attributes:
        drawing: Name of the data set that is being read; empty once all have been.
        total: Number of tasks of the run, one for each request.
        tasks: How far the tasks are; None before the first has its result.
    """

    drawing: str = ""
    total: int = 0
    tasks: TasksProgress | None = None
