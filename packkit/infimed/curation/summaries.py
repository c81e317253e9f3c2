"""Summing up: means with intervals, histograms and coverage of the scores of a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from packkit.infimed.chat import State
from packkit.infimed.curation.assessments import Assessment
from packkit.infimed.curation.rubric import IMAGING_RELEVANCE, RUBRIC, SCORES

LOW = 2
"""The highest score that counts as low."""

_TAIL = 0.025

# Bound of the rounding errors of probabilities from a Fourier transform.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSummary:
    """The scores of one data set in one criterion.

    Attributes:
        n: Number of scores.
        mean: Mean of the scores; None without scores.
        sd: Standard deviation of the scores, with n - 1; None for fewer than two.
        ci_low: Lower bound of the 95 % interval of the mean, see `mean_interval`; None for fewer
            than two scores.
        ci_high: Upper bound of the 95 % interval of the mean; None for fewer than two scores.
        histogram: Number of samples with each score from 1 to 5.
        share_low: Share of scores of at most `LOW`; None without scores.
    """

    n: int
    mean: float | None
    sd: float | None
    ci_low: float | None
    ci_high: float | None
    histogram: Sequence[int]
    share_low: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSetSummary:
    """What became of the samples of one data set.

    Attributes:
        name: Name of the data set.
        samples: Number of samples that the judge was asked about, all that the results hold.
        states: Number of samples in each state.
        coverage: Share of the samples that have scores.
        without_image: Share of the samples that have no image. Their imaging relevance is fixed and
            is left out of `scores`.
        scores: Summary of each criterion of the rubric, the overall score last.
    """

    name: str
    samples: int
    states: Mapping[State, int]
    coverage: float
    without_image: float
    scores: Mapping[str, ScoreSummary]


def summarize(assessments: Iterable[Assessment]) -> list[DataSetSummary]:
    """Sums up each data set, in the order in which they first come.

    Args:
        assessments: Assessments of one judge.
    """
    by_name: dict[str, list[Assessment]] = {}
    for assessment in assessments:
        by_name.setdefault(assessment.dataset, []).append(assessment)
    return [_summarize(name, group) for name, group in by_name.items()]


def mean_interval(histogram: Sequence[int]) -> tuple[float, float]:
    """Returns the 95 % confidence interval of the mean of scores.

    It is the percentile interval of the bootstrap (Efron and Tibshirani, An Introduction to the
    Bootstrap, 1993, chapter 13), of all resamples instead of some drawn at random: the sum of n
    scores drawn with replacement has a distribution that can be computed, as scores are small
    integers. So there is no seed, and no bound lies outside of the scale. As with every bootstrap
    the interval is too narrow for a handful of samples, and has no width where all scores are the
    same.

    Args:
        histogram: Number of samples with each score from 1 to 5; not all are 0.

    >>> mean_interval([0, 0, 0, 50, 50])
    (4.4, 4.6)
    """
    n = sum(histogram)
    size = (len(histogram) - 1) * n + 1
    # The distribution of a sum is a convolution, a product after the transform: O(n log n).
    probabilities = np.fft.irfft(np.fft.rfft(np.array(histogram) / n, size) ** n, size)
    cumulative = np.cumsum(probabilities)
    low = int(np.searchsorted(cumulative, _TAIL - _ROUNDING))
    high = int(np.searchsorted(cumulative, 1 - _TAIL - _ROUNDING))
    return SCORES[0] + low / n, SCORES[0] + high / n


def _summarize(name: str, group: Sequence[Assessment]) -> DataSetSummary:
    states = Counter(assessment.state for assessment in group)
    scored = [assessment for assessment in group if assessment.state == "ok"]
    return DataSetSummary(
        name=name,
        samples=len(group),
        states=dict(sorted(states.items())),
        coverage=len(scored) / len(group),
        without_image=sum(not assessment.has_image for assessment in group) / len(group),
        scores={criterion: _summary(_scores(scored, criterion)) for criterion in RUBRIC},
    )


def _scores(scored: Iterable[Assessment], criterion: str) -> list[int]:
    """Returns the scores in a criterion, without those that are fixed."""
    return [
        assessment.scores[criterion]
        for assessment in scored
        if assessment.has_image or criterion != IMAGING_RELEVANCE
    ]


def _summary(scores: Sequence[int]) -> ScoreSummary:
    n = len(scores)
    histogram = [scores.count(score) for score in SCORES]
    low, high = mean_interval(histogram) if n > 1 else (None, None)
    return ScoreSummary(
        n=n,
        mean=sum(scores) / n if n else None,
        sd=float(np.std(scores, ddof=1)) if n > 1 else None,
        ci_low=low,
        ci_high=high,
        histogram=histogram,
        share_low=sum(score <= LOW for score in scores) / n if n else None,
    )
