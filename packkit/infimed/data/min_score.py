"""The filter ``min-score``: drops samples that a judge gave a low score."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from packkit.base.errors import InputError
from packkit.infimed.curation.assessments import read_assessments
from packkit.infimed.curation.rubric import DIMENSIONS, OVERALL
from packkit.samples import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class MinScoreOptions:
    """The options of ``min-score``.

    Attributes:
        scores: Path of the results of ``packkit assess``, relative to the data folder.
        min: Lowest score of a sample that is kept, 1 to 5.
        dimension: Name of the score that counts, one of the rubric's dimensions or ``overall``.
        unscored: Fate of samples without a score: ``error``, ``keep`` or ``drop``.
    """

    __pydantic_config__ = {"extra": "forbid", "strict": True}  # noqa: RUF012

    scores: str
    min: int
    dimension: str = OVERALL
    unscored: Literal["error", "keep", "drop"] = "error"

    def __post_init__(self) -> None:
        if not 1 <= self.min <= 5:
            raise InputError(f"min must be in 1..5, got {self.min}")
        if self.dimension not in (*DIMENSIONS, OVERALL):
            names = ", ".join((*DIMENSIONS, OVERALL))
            raise InputError(f"dimension must be one of {names}, got {self.dimension!r}")


class MinScore:
    """Drops samples with a lower score than `MinScoreOptions.min`; of several, the last counts."""

    name: ClassVar[str] = "min-score"
    version: ClassVar[int] = 1
    options: ClassVar[type[Any]] = MinScoreOptions

    def __init__(self, options: MinScoreOptions, data: Path) -> None:
        self._options = options
        path = data / options.scores
        if not path.is_file():
            raise InputError(f"min-score: scores: {path} is not a file")
        self._sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        self._scores = {
            int(assessment.key, 16): assessment.scores[options.dimension]
            for assessment in read_assessments(path)
            if assessment.state == "ok"
        }

    def drops(self, sample: Sample, key: int) -> bool:
        """Whether its score is too low, or it has none and such samples are dropped.

        Raises:
            InputError: The sample has no score, and `unscored` is ``error``.
        """
        score = self._scores.get(key)
        if score is not None:
            return score < self._options.min
        if self._options.unscored == "error":
            raise InputError(
                f"min-score: sample {sample.id!r} has no score in {self._options.scores}; "
                'unscored = "keep" or "drop" allows that'
            )
        return self._options.unscored == "drop"

    def describe(self) -> Mapping[str, Any]:
        """Returns the options and the sha256 of the scores."""
        options = self._options
        return {
            "scores_sha256": self._sha256,
            "min": options.min,
            "dimension": options.dimension,
            "unscored": options.unscored,
        }
