"""How far people and the judge agree, by Cohen's weighted kappa."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from packkit.infimed.curation.assessments import Assessment
from packkit.infimed.curation.ratings import Ratings
from packkit.infimed.curation.rubric import IMAGING_RELEVANCE, RUBRIC

_ScoresByKey = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kappa:
    """Agreement in one criterion.

    Attributes:
        n: Number of samples that both scored.
        kappa: Cohen's weighted kappa, at most 1; None where it is not defined.
    """

    n: int
    kappa: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Agreement of a rater with another one, or with the judge.

    Attributes:
        first: Name of a rater.
        second: Name of another rater, or of the model that judged.
        kappas: Agreement in each criterion of the rubric, the overall score last.
    """

    first: str
    second: str
    kappas: Mapping[str, Kappa]


def weighted_kappa(first: Sequence[int], second: Sequence[int]) -> float | None:
    """Returns Cohen's weighted kappa with quadratic weights.

    After Cohen, Weighted kappa: nominal scale agreement with provision for scaled disagreement or
    partial credit, Psychological Bulletin 70 (1968): 1 less the mean square of the differences,
    over what it would be if each scored as often as it does but independently of the other. 1 is
    full agreement, 0 what chance gives.

    Args:
        first: Scores of one rater, integers.
        second: Scores of another rater for the same samples, in the same order.

    Returns:
        Kappa, at most 1; None where chance would give no disagreement and kappa is not defined:
        there are no samples, or both gave one and the same score to all of them.

    Raises:
        ValueError: The sequences differ in length.

    >>> weighted_kappa([1, 2, 3, 4], [1, 2, 3, 5])
    0.9285714285714286
    """
    observed = sum((a - b) ** 2 for a, b in zip(first, second, strict=True)) * len(first)
    by_chance = sum(
        count * other * (a - b) ** 2
        for a, count in Counter(first).items()
        for b, other in Counter(second).items()
    )
    return 1 - observed / by_chance if by_chance else None


def agreements(
    ratings: Sequence[Ratings], assessments: Iterable[Assessment], judge: str
) -> list[Agreement]:
    """Compares each rater with the judge, and then each two raters.

    The imaging relevance of samples without an image is fixed and would count as agreement, so it
    is left out.

    Args:
        ratings: Ratings, at most one file of each rater.
        assessments: Assessments of one judge.
        judge: Name of the model that judged.
    """
    scored = [line for line in assessments if line.state == "ok"]
    without_image = {line.key for line in scored if not line.has_image}
    judge_scores = _free_scores({line.key: line.scores for line in scored}, without_image)
    by_rater = {rating.rater: _free_scores(rating.scores, without_image) for rating in ratings}
    with_judge = [_agreement(rater, by_rater[rater], judge, judge_scores) for rater in by_rater]
    between_raters = [
        _agreement(first, by_rater[first], second, by_rater[second])
        for first, second in combinations(by_rater, 2)
    ]
    return with_judge + between_raters


def _free_scores(scores: _ScoresByKey, without_image: set[str]) -> _ScoresByKey:
    """Leaves out the scores that are fixed."""
    return {
        key: {
            criterion: score
            for criterion, score in given.items()
            if criterion != IMAGING_RELEVANCE or key not in without_image
        }
        for key, given in scores.items()
    }


def _agreement(
    first: str, first_scores: _ScoresByKey, second: str, second_scores: _ScoresByKey
) -> Agreement:
    kappas = {}
    for criterion in RUBRIC:
        pairs = [
            (scores[criterion], second_scores[key][criterion])
            for key, scores in first_scores.items()
            if criterion in scores and criterion in second_scores.get(key, {})
        ]
        kappa = weighted_kappa([a for a, _ in pairs], [b for _, b in pairs])
        kappas[criterion] = Kappa(n=len(pairs), kappa=kappa)
    return Agreement(first=first, second=second, kappas=kappas)
