"""The file of scores: the tallies of one model's answers, by one scorer and one judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from packkit.base.errors import FormatError, PackkitError
from packkit.base.files import write_atomically
from packkit.infimed.evaluation.benchmarks import BENCHMARKS
from packkit.infimed.evaluation.method import Method
from packkit.infimed.evaluation.tallies import BenchmarkTallies

_VERSION = 1


class IncompleteError(PackkitError, ValueError):
    """There is no average over the benchmarks while one of them is missing.

    Attributes:
        missing: Names of the missing benchmarks.
    """

    def __init__(self, missing: tuple[str, ...]) -> None:
        super().__init__(f"no average: {', '.join(missing)} missing")
        self.missing = missing


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreFile:
    """The scores of one model's answers: what they are, and how they came about.

    Attributes:
        model: Name or path of the model that answered.
        method: How the answers were asked for and decided on.
        answers: Hash of the answers that were scored.
        questions: Name of a benchmark -> hash of its questions.
        benchmarks: Name of a benchmark -> tallies of its verdicts.
    """

    model: str
    method: Method
    answers: str
    questions: Mapping[str, str]
    benchmarks: Mapping[str, BenchmarkTallies]

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the paper's benchmarks that have no accuracy in this file."""
        return tuple(name for name in BENCHMARKS if self.accuracy(name) is None)

    @property
    def average(self) -> float:
        """Unweighted mean of the accuracies of all seven benchmarks, in [0, 1].

        Raises:
            IncompleteError: A benchmark is missing.
        """
        accuracies = [self.accuracy(name) for name in BENCHMARKS]
        known = [accuracy for accuracy in accuracies if accuracy is not None]
        if len(known) < len(BENCHMARKS):
            raise IncompleteError(self.missing)
        return sum(known) / len(known)

    @property
    def scored_by(self) -> str:
        """Names of scorer and judge, in words."""
        judge = self.method.judge
        return f"{self.method.scorer}, {'no judge' if judge is None else f'judge {judge}'}"

    def accuracy(self, benchmark: str) -> float | None:
        """Returns the accuracy over all questions of a benchmark; None where there is none."""
        tallies = self.benchmarks.get(benchmark)
        return None if tallies is None else tallies.total.accuracy

    def to_dict(self) -> dict[str, Any]:
        """Returns the scores as JSON."""
        return {
            "version": _VERSION,
            "model": self.model,
            **self.method._asdict(),
            "answers": self.answers,
            "questions": self.questions,
            "average": None if self.missing else self.average,
            "missing": self.missing,
            "benchmarks": {name: tallies.to_dict() for name, tallies in self.benchmarks.items()},
        }

    def write(self, path: Path) -> None:
        """Writes the file."""
        write_atomically(path, orjson.dumps(self.to_dict(), option=orjson.OPT_INDENT_2))

    @classmethod
    def read(cls, path: str | Path) -> ScoreFile:
        """Reads what `write` wrote.

        Raises:
            FormatError: The file does not hold scores, or is of another version.
            OSError: The file cannot be read.
        """
        try:
            record = orjson.loads(Path(path).read_bytes())
            if record["version"] != _VERSION:
                raise FormatError(path, f"version must be {_VERSION}, got {record['version']}")
            benchmarks = record["benchmarks"].items()
            return cls(
                model=record["model"],
                method=Method(**{name: record[name] for name in Method._fields}),
                answers=record["answers"],
                questions=record["questions"],
                benchmarks={
                    name: BenchmarkTallies.from_dict(tallies) for name, tallies in benchmarks
                },
            )
        except (AttributeError, KeyError, TypeError, orjson.JSONDecodeError) as error:
            raise FormatError(path, f"not a file of scores: {error}") from None
