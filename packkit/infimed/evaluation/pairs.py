"""Answers of two models to the same questions, decided on by the same method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from packkit.base.errors import InputError
from packkit.infimed.evaluation.benchmarks import BENCHMARKS
from packkit.infimed.evaluation.questions import Question
from packkit.infimed.evaluation.scored_results import Decided, ScoredResults, describe_mix
from packkit.infimed.evaluation.verdicts import Verdict

WhoIsRight = Literal["a", "b", "both", "neither"]

# All that bears on whether an answer is right.
_FIELDS = ("text", "kind", "gold", "options", "language")


class Pair(NamedTuple):
    """One question, and what was decided about both answers.

    Attributes:
        question: Without its images.
        a: The first model's verdict.
        b: The second model's.
    """

    question: Question
    a: Verdict
    b: Verdict

    @property
    def is_decided(self) -> bool:
        """Whether something is known of both answers."""
        return "judge_failed" not in (self.a.outcome, self.b.outcome)

    @property
    def who_is_right(self) -> WhoIsRight:
        """Whose answer is right, of a pair that is decided."""
        if self.a.is_right:
            return "both" if self.b.is_right else "a"
        return "b" if self.b.is_right else "neither"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """The questions of one benchmark that two results have in common.

    Attributes:
        decided: Those of which something is known of both answers, in the order of the first.
        judge_failed: Those where the judge gave no verdict on one answer or both.
        unshared: Questions that only one of them has.
    """

    decided: Sequence[Pair]
    judge_failed: int
    unshared: int


def pair(a: ScoredResults, b: ScoredResults) -> Mapping[str, Pairs]:
    """Pairs the verdicts of two results, question by question.

    Args:
        a: The first.
        b: The second.

    Returns:
        Benchmark -> its pairs, for each benchmark of which at least one pair is decided.

    Raises:
        InputError: They were not scored by one method, a question differs between them, or they
            have none in common.
        FormatError: A file of theirs is not what it should be.
    """
    if mix := describe_mix([a.method, b.method]):
        raise InputError(f"{a.label} and {b.label} cannot be compared, they differ in {mix}")
    of_a, of_b = a.verdicts(), b.verdicts()
    pairs = {
        name: _pairs(of_a[name], of_b[name], f"{a.label} and {b.label}")
        for name in BENCHMARKS
        if name in of_a and name in of_b
    }
    found = {name: one for name, one in pairs.items() if one.decided}
    if not found:
        raise InputError(f"{a.label} and {b.label} have no question in common that is decided on")
    return found


def difference(one: Question, other: Question) -> str:
    """Returns in words the first thing in which two questions differ; nothing if none."""
    for name in _FIELDS:
        if (left := getattr(one, name)) != (right := getattr(other, name)):
            return f"{name}: {left!r}, {right!r}"
    return ""


def _pairs(of_a: Mapping[str, Decided], of_b: Mapping[str, Decided], labels: str) -> Pairs:
    shared = [(one, of_b[key]) for key, one in of_a.items() if key in of_b]
    for (question, _), (other, _) in shared:
        if differs := difference(question, other):
            raise InputError(
                f"{labels} were not asked the same: question {question.key} of "
                f"{question.benchmark} differs in {differs}"
            )
    pairs = [Pair(question, one, other) for (question, one), (_, other) in shared]
    decided = [one for one in pairs if one.is_decided]
    return Pairs(
        decided=decided,
        judge_failed=len(pairs) - len(decided),
        unshared=len(of_a) + len(of_b) - 2 * len(shared),
    )
