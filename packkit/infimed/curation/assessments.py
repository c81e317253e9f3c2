"""What a judge said of each sample, as the results hold it: one JSON line, only ever appended.

Of several lines for the same sample and request the last one holds; it states what all of them
together cost.
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
"""Fields that identify a line: a request, and the sample that it was sent for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What came of judging one sample, as one line of the results.

    Attributes:
        key: Key of the sample (`packkit.samples.keys.sample_key`), 16 hexadecimal digits.
        request: Hash of the sample's content (texts and image bytes), of rubric version and model.
            Samples that share it are paid for once: the lines of all but one have no attempts.
        dataset: Name of the data set that the sample was drawn from.
        id: Id of the sample; None where it has none.
        source: File that the sample was read from.
        position: Number of the sample's record in that file.
        has_image: Whether the sample has an image.
        model: Name of the model that judged.
        prompt_version: Version of the rubric and its prompt, see `RUBRIC_VERSION`.
        state: ``ok``, or why there are no scores.
        scores: Score from 1 to 5 for each of `DIMENSIONS` and `OVERALL`; empty unless ok.
        comments: Comment on each criterion that has one.
        reply: Text of the reply, where it could not be read; else empty.
        error: What went wrong; empty if ok.
        attempts: Requests sent for the sample, in all runs.
        prompt_tokens: Tokens sent in all attempts, as the server counted.
        completion_tokens: Tokens written in all attempts, as the server counted.
        cost: Cost of all attempts, in the currency of the prices given; None without prices.
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
        """Makes an assessment of a line of the results.

        Raises:
            ValueError: A field is missing, unknown or not legal.
        """
        names = {field.name for field in fields(cls)}
        if wrong := sorted(names ^ record.keys()):
            raise ValueError(f"field {wrong[0]} is {'missing' if wrong[0] in names else 'unknown'}")
        return cls(**record)

    def to_dict(self) -> dict[str, Any]:
        """Returns the assessment as a line of the results."""
        return asdict(self)


def read_assessments(path: str | Path) -> list[Assessment]:
    """Reads results: the last line for each sample and request, in the order they first came.

    Args:
        path: File that `assess` writes. It may still be writing: a last line that is not finished
            is left out.

    Raises:
        FormatError: The file holds something else than assessments.
        OSError: The file cannot be read.
    """
    try:
        return [Assessment.from_dict(line) for line in read_answers(Path(path), IDENTITY)]
    except (TypeError, ValueError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(path, f"not an assessment: {error}") from None
