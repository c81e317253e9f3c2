"""Summaries of scores against naive ones."""

from collections import Counter
from itertools import product
from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st
from review_inputs import assessment

from packkit.infimed.curation.rubric import IMAGING_RELEVANCE, RUBRIC
from packkit.infimed.curation.summaries import mean_interval, summarize

scores = st.lists(st.integers(1, 5), min_size=2, max_size=60)


def histogram_of(values):
    return [values.count(score) for score in range(1, 6)]


@given(st.lists(st.integers(1, 5), min_size=2, max_size=5))
def test_interval_is_that_of_every_resample(values):
    means = sorted(sum(drawn) for drawn in product(values, repeat=len(values)))
    low, high = (next(m for i, m in enumerate(means, 1) if i >= q * len(means)) / len(values)
                 for q in (0.025, 0.975))  # fmt: skip
    assert mean_interval(histogram_of(values)) == pytest.approx((low, high))


@given(scores)
def test_interval_holds_the_mean_and_stays_on_the_scale(values):
    low, high = mean_interval(histogram_of(values))
    assert min(values) <= low <= mean(values) + 1e-9
    assert mean(values) - 1e-9 <= high <= max(values)


def test_interval_of_many_scores_is_the_normal_one():
    histogram = [1000, 3000, 7000, 11000, 8000]
    values = [score for score, count in enumerate(histogram, 1) for _ in range(count)]
    half = 1.959964 * stdev(values) / len(values) ** 0.5
    assert mean_interval(histogram) == pytest.approx(
        (mean(values) - half, mean(values) + half), abs=2e-4
    )


def test_interval_of_one_score_has_no_width():
    assert mean_interval([0, 0, 0, 7, 0]) == (4, 4)


def check_summary(summary, values):
    assert summary.n == len(values) == sum(summary.histogram)
    assert summary.histogram == histogram_of(values)
    assert summary.mean == (pytest.approx(mean(values)) if values else None)
    assert summary.sd == (pytest.approx(stdev(values)) if len(values) > 1 else None)
    low = sum(score <= 2 for score in values)
    assert summary.share_low == (pytest.approx(low / len(values)) if values else None)


@given(st.lists(st.tuples(st.integers(1, 5), st.booleans(), st.sampled_from("ab")), min_size=1))
def test_summaries_are_what_counting_says(rows):
    assessments = [
        assessment(number, name, score, has_image=has_image)
        for number, (score, has_image, name) in enumerate(rows)
    ]
    data_sets = summarize(assessments)
    assert [data_set.name for data_set in data_sets] == list(dict.fromkeys(row[2] for row in rows))
    for data_set in data_sets:
        group = [row for row in rows if row[2] == data_set.name]
        without_image = sum(not has_image for _, has_image, _ in group) / len(group)
        assert data_set.without_image == pytest.approx(without_image)
        for criterion in RUBRIC:
            counted = [score for score, has_image, _ in group
                       if has_image or criterion != IMAGING_RELEVANCE]  # fmt: skip
            check_summary(data_set.scores[criterion], counted)


def test_coverage_counts_each_state():
    states = ["ok", "refused", "ok", "http_error", "parse_error", "refused", "ok", "ok"]
    (data_set,) = summarize(assessment(n, state=state) for n, state in enumerate(states))
    assert data_set.states == Counter(states)
    assert (data_set.samples, data_set.coverage) == (8, 0.5)
    assert data_set.scores["overall"].n == 4


def test_nothing_scored_has_no_figures():
    (data_set,) = summarize([assessment(0, state="refused")])
    overall = data_set.scores["overall"]
    assert (data_set.coverage, overall.n) == (0, 0)
    assert {overall.mean, overall.sd, overall.ci_low, overall.ci_high, overall.share_low} == {None}
