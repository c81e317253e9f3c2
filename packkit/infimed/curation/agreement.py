"""How far people and the judge agree: Cohen's weighted kappa."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from packkit.infimed.curation.ratings import Ratings
from packkit.infimed.curation.results import Assessment
from packkit.infimed.curation.rubric import IMAGING_RELEVANCE, RUBRIC

_ScoresByKey = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kappa:
    """Agreement in one criterion.

    Attributes:
        n: Samples that both scored.
        kappa: See `weighted_kappa`.
    """

    n: int
    kappa: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Agreement of two who scored.

    Attributes:
        first: A rater.
        second: Another one, or the model that judged.
        kappas: For each criterion of the rubric, the overall score last.
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
        first: Scores, integers.
        second: Scores of the same samples in the same order.

    Returns:
        At most 1; None where chance alone makes no difference and so kappa is not defined: there
        are no samples, or both gave one and the same score to all.

    Raises:
        ValueError: They are not equally many.

    >>> weighted_kappa([1, 2, 3, 4], [1, 2, 3, 5])
    0.9285714285714286
    """
    found = sum((a - b) ** 2 for a, b in zip(first, second, strict=True)) * len(first)
    by_chance = sum(
        count * other * (a - b) ** 2
        for a, count in Counter(first).items()
        for b, other in Counter(second).items()
    )
    return 1 - found / by_chance if by_chance else None


def agreements(
    ratings: Sequence[Ratings], assessments: Iterable[Assessment], judge: str
) -> list[Agreement]:
    """Compares each rater with the judge, and then each two raters.

    The imaging relevance of samples without an image is fixed, so that it would pass for agreement:
    it is left out.

    Args:
        ratings: Of one rater each.
        assessments: Of one judge.
        judge: Its name.
    """
    scored = [one for one in assessments if one.state == "ok"]
    without_image = {one.key for one in scored if not one.has_image}
    of_judge = _judged({one.key: one.scores for one in scored}, without_image)
    of_raters = {one.rater: _judged(one.scores, without_image) for one in ratings}
    with_judge = [_agreement(rater, of_raters[rater], judge, of_judge) for rater in of_raters]
    between = [
        _agreement(first, of_raters[first], second, of_raters[second])
        for first, second in combinations(of_raters, 2)
    ]
    return with_judge + between


def _judged(scores: _ScoresByKey, without_image: set[str]) -> _ScoresByKey:
    """Returns the scores that somebody had to think about."""
    return {
        key: {
            criterion: score
            for criterion, score in given.items()
            if criterion != IMAGING_RELEVANCE or key not in without_image
        }
        for key, given in scores.items()
    }


def _agreement(first: str, given: _ScoresByKey, second: str, others: _ScoresByKey) -> Agreement:
    kappas = {}
    for criterion in RUBRIC:
        pairs = [
            (scores[criterion], others[key][criterion])
            for key, scores in given.items()
            if criterion in scores and criterion in others.get(key, {})
        ]
        kappa = weighted_kappa([a for a, _ in pairs], [b for _, b in pairs])
        kappas[criterion] = Kappa(n=len(pairs), kappa=kappa)
    return Agreement(first=first, second=second, kappas=kappas)
