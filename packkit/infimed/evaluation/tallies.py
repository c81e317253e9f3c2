"""Tallies: verdicts counted, and their accuracies with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean
from typing import Any, NamedTuple

from packkit.infimed.evaluation.questions import Question
from packkit.infimed.evaluation.scorers import Overlap, token_overlap
from packkit.infimed.evaluation.verdicts import Outcome, Verdict

# The 97.5 % quantile of the normal distribution.
_Z = 1.959963984540054


class Interval(NamedTuple):
    """A 95 % interval of a share.

    Attributes:
        low: Lower bound, at least 0.
        high: Upper bound, at most 1.
    """

    low: float
    high: float


def wilson_interval(right: int, n: int) -> Interval:
    """Returns the score interval of Wilson (1927) for a share, at 95 %.

    Args:
        right: Number of successes.
        n: Number of trials, at least 1.

    >>> tuple(round(bound, 3) for bound in wilson_interval(327, 451))
    (0.682, 0.764)
    """
    share, z2 = right / n, _Z * _Z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z * sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    # At 0 and 1 rounding errors would leave the share just outside its own interval.
    return Interval(min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half)))


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of the verdicts on some answers.

    Attributes:
        n: Number of answers.
        right: Number of right answers.
        unparsed: Number of answers that the rules could not read; none of them is right.
        judge_failed: Number of answers that the judge gave no verdict on.
    """

    n: int
    right: int
    unparsed: int
    judge_failed: int

    @property
    def decided(self) -> int:
        """Number of answers that were decided on, the denominator of the accuracy."""
        return self.n - self.judge_failed

    @property
    def accuracy(self) -> float | None:
        """Share of right answers among those decided on, in [0, 1]; None where there are none."""
        return self.right / self.decided if self.decided else None

    @property
    def interval(self) -> Interval | None:
        """95 % interval of the accuracy; None where there is no accuracy."""
        return wilson_interval(self.right, self.decided) if self.decided else None

    def to_dict(self) -> dict[str, Any]:
        """Returns the tally as JSON, with its accuracy and interval."""
        counts = {name: getattr(self, name) for name in self.__slots__}
        interval = None if self.interval is None else list(self.interval)
        return {**counts, "accuracy": self.accuracy, "interval": interval}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Tally:
        """Reads what `to_dict` gave."""
        return cls(**{name: record[name] for name in cls.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkTallies:
    """The verdicts on the answers to one benchmark, counted as a whole and in parts.

    Attributes:
        benchmark: Name of the benchmark.
        total: Tally of all questions.
        closed: Tally of the questions that a letter, yes or no, a word or a phrase answers.
        open: Tally of the questions that free text answers; closed and open add up to the total.
        guesses: Number of verdicts that come from likeness or chance.
        overlap: Words that open answers share with gold answers, the mean over open questions; None
            where there is no open question.
        groups: Field that results are broken down by -> its value -> tally of those questions.
    """

    benchmark: str
    total: Tally
    closed: Tally
    open: Tally
    guesses: int
    overlap: Overlap | None
    groups: Mapping[str, Mapping[str, Tally]]

    def to_dict(self) -> dict[str, Any]:
        """Returns the tallies as JSON."""
        return {
            "benchmark": self.benchmark,
            **{name: getattr(self, name).to_dict() for name in ("total", "closed", "open")},
            "guesses": self.guesses,
            "overlap": None if self.overlap is None else self.overlap._asdict(),
            "groups": {
                by: {value: tally.to_dict() for value, tally in values.items()}
                for by, values in self.groups.items()
            },
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> BenchmarkTallies:
        """Reads what `to_dict` gave."""
        return cls(
            benchmark=record["benchmark"],
            total=Tally.from_dict(record["total"]),
            closed=Tally.from_dict(record["closed"]),
            open=Tally.from_dict(record["open"]),
            guesses=record["guesses"],
            overlap=None if record["overlap"] is None else Overlap(**record["overlap"]),
            groups={
                by: {value: Tally.from_dict(tally) for value, tally in values.items()}
                for by, values in record["groups"].items()
            },
        )


def tally_verdicts(questions: Sequence[Question], verdicts: Sequence[Verdict]) -> BenchmarkTallies:
    """Counts the verdicts on the answers to one benchmark.

    Args:
        questions: All questions of one benchmark, at least one.
        verdicts: Verdict on the answer to each question, in the same order.
    """
    pairs = list(zip(questions, verdicts, strict=True))
    return BenchmarkTallies(
        benchmark=questions[0].benchmark,
        total=_tally(verdicts),
        closed=_tally(verdict for question, verdict in pairs if not question.is_open),
        open=_tally(verdict for question, verdict in pairs if question.is_open),
        guesses=sum(verdict.is_guess for verdict in verdicts),
        overlap=_overlap(pairs),
        groups=_groups(pairs),
    )


def _overlap(pairs: Sequence[tuple[Question, Verdict]]) -> Overlap | None:
    """Returns the mean over open questions; an answer that says nothing shares nothing."""
    shared = [
        token_overlap(verdict.answer or "", question.gold)
        for question, verdict in pairs
        if question.is_open
    ]
    return Overlap(*map(fmean, zip(*shared, strict=True))) if shared else None


def _groups(pairs: Sequence[tuple[Question, Verdict]]) -> dict[str, dict[str, Tally]]:
    members: dict[str, dict[str, list[Verdict]]] = {}
    for question, verdict in pairs:
        for by, value in question.groups.items():
            members.setdefault(by, {}).setdefault(value, []).append(verdict)
    return {
        by: {value: _tally(verdicts) for value, verdicts in sorted(values.items())}
        for by, values in members.items()
    }


def _tally(verdicts: Iterable[Verdict]) -> Tally:
    counts: dict[Outcome, int] = {"right": 0, "wrong": 0, "unparsed": 0, "judge_failed": 0}
    for verdict in verdicts:
        counts[verdict.outcome] += 1
    return Tally(sum(counts.values()), counts["right"], counts["unparsed"], counts["judge_failed"])
