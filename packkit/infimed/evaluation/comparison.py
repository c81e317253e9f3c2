"""Whether one model is better than another, by a paired bootstrap on the same questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, astuple, dataclass
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packkit.base.orders import LARGEST_SEED
from packkit.base.values import check_whole
from packkit.infimed.evaluation.benchmarks import BENCHMARKS
from packkit.infimed.evaluation.method import Method
from packkit.infimed.evaluation.pairs import BenchmarkPairs, pair_verdicts
from packkit.infimed.evaluation.scored_results import ScoredResults

LARGEST_RESAMPLES = 1_000_000
"""Resamples at most: more change no figure that is shown, and these take some 100 MiB."""

_TAILS = (0.025, 0.975)
_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCounts:
    """Counts of the questions of one benchmark, by which of two models answers them correctly.

    Attributes:
        both: Number of questions that both models answer correctly.
        only_a: Number of questions that only the first model answers correctly.
        only_b: Number of questions that only the second model answers correctly.
        neither: Number of questions that neither model answers correctly.
        judge_failed: Number of questions left out because the judge gave no verdict on an answer.
        unshared: Number of questions left out because only one model was asked them.
    """

    both: int
    only_a: int
    only_b: int
    neither: int
    judge_failed: int = 0
    unshared: int = 0

    @property
    def n(self) -> int:
        """Number of questions that are compared."""
        return self.both + self.only_a + self.only_b + self.neither

    @property
    def a(self) -> float:
        """Accuracy of the first model on the compared questions, in [0, 1]."""
        return (self.both + self.only_a) / self.n

    @property
    def b(self) -> float:
        """Accuracy of the second model on the compared questions, in [0, 1]."""
        return (self.both + self.only_b) / self.n


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """How far the accuracies of two models are apart.

    Attributes:
        a: Accuracy of the first model, in [0, 1].
        b: Accuracy of the second model, in [0, 1].
        difference: Accuracy of the first model minus that of the second.
        low: Lower bound of the 95 % percentile interval of the difference.
        high: Upper bound of the 95 % percentile interval of the difference.
        a_beats_b: Share of the resamples in which the first model is better; ties count half.
    """

    a: float
    b: float
    difference: float
    low: float
    high: float
    a_beats_b: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How two models compare on the questions that both were asked.

    Attributes:
        a: Label of the first results.
        b: Label of the second results.
        method: How the answers of both models were asked for and decided on.
        samples: Number of resamples drawn.
        seed: Seed of the draws.
        counts: Name of a benchmark -> counts of its questions, by who answers correctly.
        benchmarks: Name of a benchmark -> how far the models are apart on it.
        pooled: How far the models are apart over all questions, each with the same weight.
        average: How far the models are apart in the mean of the seven benchmarks; None while one is
            missing.
        missing: Names of the benchmarks without a question that can be compared.
    """

    a: str
    b: str
    method: Method
    samples: int
    seed: int
    counts: Mapping[str, PairCounts]
    benchmarks: Mapping[str, Estimate]
    pooled: Estimate
    average: Estimate | None
    missing: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Returns the comparison as JSON."""
        return {**asdict(self), "method": self.method._asdict()}


def compare(
    a: ScoredResults, b: ScoredResults, *, samples: int = 10_000, seed: int = 0
) -> Comparison:
    """Compares two models on the questions that both were asked.

    The paired bootstrap of Koehn, Statistical significance tests for machine translation
    evaluation, EMNLP 2004, with percentile intervals (Efron and Tibshirani, An Introduction to the
    Bootstrap, 1993, chapter 13): questions are drawn with replacement, within each benchmark as
    many as it has, and both models are scored on the same draw. Their difference on a draw is that
    of two counts, how often it took a question that the first alone has right and one that the
    second alone has. These counts have a multinomial distribution, so that a resample is one draw
    of it and takes the same time whatever the number of questions. As with every bootstrap
    intervals are too narrow for a handful of questions, and have no width where the models never
    differ.

    Args:
        a: Results of the first model.
        b: Results of the second model.
        samples: Number of resamples to draw.
        seed: Seed of the draws; those of a benchmark do not depend on which others there are.

    Raises:
        InputError: The results cannot be compared, see `pairs.pair_verdicts`, or an option is out
            of range.
        FormatError: A file of the results is not what it should be.
    """
    check_whole("samples", samples, 1, LARGEST_RESAMPLES)
    check_whole("seed", seed, 0, LARGEST_SEED)
    counts = {name: _counts(pairs) for name, pairs in pair_verdicts(a, b).items()}
    leads = {name: _leads(shared, samples, seed, name) for name, shared in counts.items()}
    benchmarks = {
        name: _estimate(shared.a, shared.b, leads[name] / shared.n)
        for name, shared in counts.items()
    }
    missing = tuple(name for name in BENCHMARKS if name not in counts)
    pooled = _total(counts.values())
    return Comparison(
        a=a.label,
        b=b.label,
        method=a.method,
        samples=samples,
        seed=seed,
        counts=counts,
        benchmarks=benchmarks,
        pooled=_estimate(pooled.a, pooled.b, np.sum(list(leads.values()), axis=0) / pooled.n),
        average=None if missing else _average(counts, leads),
        missing=missing,
    )


def _counts(pairs: BenchmarkPairs) -> PairCounts:
    right = Counter(pair.who_is_right for pair in pairs.decided)
    return PairCounts(
        both=right["both"],
        only_a=right["a"],
        only_b=right["b"],
        neither=right["neither"],
        judge_failed=pairs.judge_failed,
        unshared=pairs.unshared,
    )


def _total(counts: Iterable[PairCounts]) -> PairCounts:
    fields = zip(*map(astuple, counts), strict=True)
    return PairCounts(**dict(zip(PairCounts.__slots__, map(sum, fields), strict=True)))


def _leads(counts: PairCounts, samples: int, seed: int, benchmark: str) -> NDArray[np.int64]:
    """Returns by how many right answers the first model leads in each resample: int64 [samples]."""
    draws = np.random.default_rng((seed, *benchmark.encode()))
    shares = np.array([counts.only_a, counts.only_b, counts.both + counts.neither]) / counts.n
    drawn = draws.multinomial(counts.n, shares, size=samples)
    return drawn[:, 0] - drawn[:, 1]


def _average(counts: Mapping[str, PairCounts], leads: Mapping[str, NDArray[np.int64]]) -> Estimate:
    """Returns how far two models are apart in the mean of the benchmarks' accuracies."""
    differences = np.mean([leads[name] / shared.n for name, shared in counts.items()], axis=0)
    a, b = (fmean(getattr(shared, side) for shared in counts.values()) for side in "ab")
    return _estimate(a, b, differences)


def _estimate(a: float, b: float, differences: NDArray[np.float64]) -> Estimate:
    # Rounding errors must not turn a tie over seven benchmarks into a win.
    signs = np.sign(np.round(differences, _DIGITS))
    low, high = np.quantile(differences, _TAILS)
    return Estimate(
        a=a,
        b=b,
        difference=a - b,
        low=float(low),
        high=float(high),
        a_beats_b=float((1 + signs.mean()) / 2),
    )
