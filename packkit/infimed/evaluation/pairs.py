"""Pairs of verdicts: on the answers of two models to the same question, by the same method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from packkit.base.errors import InputError
from packkit.infimed.evaluation.benchmarks import BENCHMARKS
from packkit.infimed.evaluation.method import describe_mix
from packkit.infimed.evaluation.questions import Question
from packkit.infimed.evaluation.scored_results import ScoredQuestion, ScoredResults
from packkit.infimed.evaluation.verdicts import Verdict

WhoIsRight = Literal["a", "b", "both", "neither"]

# Fields of a question that bear on whether an answer is right.
_FIELDS = ("text", "kind", "gold", "options", "language")


class Pair(NamedTuple):
    """One question, and the verdicts on both models' answers.

    Attributes:
        question: Question of a benchmark, without its images.
        a: Verdict on the first model's answer.
        b: Verdict on the second model's answer.
    """

    question: Question
    a: Verdict
    b: Verdict

    @property
    def is_decided(self) -> bool:
        """Whether both answers were decided on; if not, the judge failed on one."""
        return "judge_failed" not in (self.a.outcome, self.b.outcome)

    @property
    def who_is_right(self) -> WhoIsRight:
        """Which model's answer is right; only for pairs that are decided."""
        if self.a.is_right:
            return "both" if self.b.is_right else "a"
        return "b" if self.b.is_right else "neither"


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkPairs:
    """The questions of one benchmark that two results have in common.

    Attributes:
        decided: Pairs in which both answers were decided on, in the order of the first results.
        judge_failed: Number of pairs in which the judge gave no verdict on one answer or both.
        unshared: Number of questions that only one of the results has.
    """

    decided: Sequence[Pair]
    judge_failed: int
    unshared: int


def pair_verdicts(a: ScoredResults, b: ScoredResults) -> Mapping[str, BenchmarkPairs]:
    """Pairs the verdicts of two results, question by question.

    Args:
        a: Results of the first model.
        b: Results of the second model.

    Returns:
        Name of a benchmark -> its pairs, for each benchmark with at least one decided pair.

    Raises:
        InputError: The results were scored by different methods, a question differs between them,
            or they have no question in common.
        FormatError: A file of the results is not what it should be.
    """
    if mix := describe_mix([a.method, b.method]):
        raise InputError(f"{a.label} and {b.label} cannot be compared, they differ in {mix}")
    scored_a, scored_b = a.verdicts(), b.verdicts()
    pairs = {
        name: _pairs(scored_a[name], scored_b[name], f"{a.label} and {b.label}")
        for name in BENCHMARKS
        if name in scored_a and name in scored_b
    }
    comparable = {name: benchmark for name, benchmark in pairs.items() if benchmark.decided}
    if not comparable:
        raise InputError(f"{a.label} and {b.label} have no question in common that is decided on")
    return comparable


def first_difference(a: Question, b: Question) -> str:
    """Returns in words the first field in which two questions differ; an empty text if none."""
    for name in _FIELDS:
        if (left := getattr(a, name)) != (right := getattr(b, name)):
            return f"{name}: {left!r}, {right!r}"
    return ""


def _pairs(
    a: Mapping[str, ScoredQuestion], b: Mapping[str, ScoredQuestion], labels: str
) -> BenchmarkPairs:
    pairs = []
    for key in (key for key in a if key in b):
        question, verdict = a[key]
        if difference := first_difference(question, b[key].question):
            raise InputError(
                f"{labels} were not asked the same: question {key} of {question.benchmark} "
                f"differs in {difference}"
            )
        pairs.append(Pair(question, verdict, b[key].verdict))
    decided = [pair for pair in pairs if pair.is_decided]
    return BenchmarkPairs(
        decided=decided,
        judge_failed=len(pairs) - len(decided),
        unshared=len(a) + len(b) - 2 * len(pairs),
    )
