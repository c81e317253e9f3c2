"""What a judge said of each sample: one JSON line for each request, only ever appended.

Of several lines for the same sample and request the last one holds; it counts what all of them
spent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self, get_args

from packkit.base.errors import FormatError
from packkit.infimed.chat import Spending, State, read_answers
from packkit.infimed.curation.rubric import DIMENSIONS, OVERALL, SCORES

IDENTITY = ("request", "dataset", "key")
"""Fields that tell what a line is of: a request, and the sample that it was sent for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What came of judging one sample, as one line of the results.

    Attributes:
        key: `packkit.samples.keys.sample_key` of the sample, 16 hexadecimal digits.
        request: Hash of content (texts and image bytes), prompt version and model: what is paid
            for once. Where several samples share it, the others' lines have no attempts.
        dataset: Name of the data set that the sample was drawn from.
        id: The sample's own, if it has one.
        source: File that it was read from.
        position: Number of its record there.
        has_image: Whether it has one.
        model: The judge.
        prompt_version: Of the rubric and its prompt.
        state: ``ok``, or why there are no scores.
        scores: 1 to 5 for each of `DIMENSIONS` and `OVERALL`; empty unless ok.
        comments: A remark for each that has one.
        reply: What the judge wrote, where it could not be read; else empty.
        error: What went wrong; empty if ok.
        attempts: Requests sent for it, in all runs.
        prompt_tokens: Of all attempts, as the server counted.
        completion_tokens: Of all attempts.
        cost: Of all attempts, in the currency of the prices given; None without prices.
    """

    key: str
    request: str
    dataset: str
    id: str | None
    source: str
    position: int
    has_image: bool
    model: str
    prompt_version: str
    state: State
    scores: Mapping[str, int]
    comments: Mapping[str, str]
    reply: str
    error: str
    attempts: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None

    def __post_init__(self) -> None:
        if self.state not in get_args(State):
            raise ValueError(f"state must be one of {', '.join(get_args(State))}")
        if not isinstance(self.scores, Mapping):
            raise ValueError(f"scores must be an object, got {self.scores!r}")
        if not isinstance(self.comments, Mapping):
            raise ValueError(f"comments must be an object, got {self.comments!r}")
        if self.state == "ok":
            for name in (*DIMENSIONS, OVERALL):
                if self.scores.get(name) not in SCORES:
                    raise ValueError(f"scores.{name} must be 1 to 5, got {self.scores.get(name)}")
        elif self.scores:
            raise ValueError(f"scores must be empty where state is {self.state}")

    @property
    def spent(self) -> Spending:
        """What all attempts came to."""
        return Spending(self.attempts, self.prompt_tokens, self.completion_tokens, self.cost)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Reads a line.

        Raises:
            ValueError: A field is missing, unknown or not legal.
        """
        names = {field.name for field in fields(cls)}
        if wrong := sorted(names ^ record.keys()):
            raise ValueError(f"field {wrong[0]} is {'missing' if wrong[0] in names else 'unknown'}")
        return cls(**record)

    def to_dict(self) -> dict[str, Any]:
        """Returns it as a line of the results."""
        return asdict(self)


def read_assessments(path: str | Path) -> list[Assessment]:
    """Reads results: the last line for each sample and request, in the order they first came.

    Args:
        path: What `packkit assess` wrote. It may still be writing: a line that is not finished yet
            is left out.

    Raises:
        FormatError: It holds something else.
        OSError: It cannot be read.
    """
    try:
        return [Assessment.from_dict(line) for line in read_answers(Path(path), IDENTITY)]
    except (TypeError, ValueError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(path, f"no line of an assessment: {error}") from None
