"""Summaries of scores against naive ones, and reports on whole files."""

import json
from collections import Counter
from itertools import product
from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packing_inputs import write_lines
from review_inputs import assessment, rating

from packkit.base.errors import FormatError, InputError
from packkit.infimed.curation.quality_report import report_on
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


@given(st.lists(st.tuples(st.integers(1, 5), st.booleans(), st.sampled_from("ab")), min_size=1))
def test_summaries_are_what_counting_says(rows):
    assessments = [
        assessment(number, name, score, has_image=has_image)
        for number, (score, has_image, name) in enumerate(rows)
    ]
    found = summarize(assessments)
    assert [one.name for one in found] == list(dict.fromkeys(name for _, _, name in rows))
    for one in found:
        own = [row for row in rows if row[2] == one.name]
        assert one.without_image == pytest.approx(sum(not row[1] for row in own) / len(own))
        for criterion in RUBRIC:
            of = [s for s, image, _ in own if image or criterion != IMAGING_RELEVANCE]
            summary = one.scores[criterion]
            assert summary.n == len(of) == sum(summary.histogram)
            assert summary.histogram == histogram_of(of)
            assert summary.mean == (pytest.approx(mean(of)) if of else None)
            assert summary.sd == (pytest.approx(stdev(of)) if len(of) > 1 else None)
            low = sum(score <= 2 for score in of)
            assert summary.share_low == (pytest.approx(low / len(of)) if of else None)


def test_coverage_counts_each_state():
    states = ["ok", "refused", "ok", "http_error", "parse_error", "refused", "ok", "ok"]
    (found,) = summarize(assessment(n, state=state) for n, state in enumerate(states))
    assert found.states == Counter(states)
    assert (found.samples, found.coverage) == (8, 0.5)
    assert found.scores["overall"].n == 4


def test_nothing_scored_has_no_figures():
    (found,) = summarize([assessment(0, state="refused")])
    overall = found.scores["overall"]
    assert (found.coverage, overall.n) == (0, 0)
    assert {overall.mean, overall.sd, overall.ci_low, overall.ci_high, overall.share_low} == {None}


def test_report_joins_scores_verdicts_and_agreement(tmp_path):
    lines = [assessment(n, "a" if n % 3 else "pmc-oa", 1 + n % 5).to_dict() for n in range(300)]
    path = write_lines(tmp_path / "scores.jsonl", lines)
    saved = tmp_path / "one.json"
    ratings = [rating(n, 1 + n % 5) for n in range(10)]
    saved.write_text(json.dumps({"sheet": "s", "rater": "Ada", "ratings": ratings}))
    report = report_on(path, ratings=[saved])
    assert [one.name for one in report.data_sets] == ["pmc-oa", "a"]
    assert [one.data_set for one in report.verdicts] == ["pmc-oa", "a"]
    assert report.verdicts[0].reason.startswith("exclusion of pmc-oa")
    (agreement,) = report.agreements
    assert (agreement.first, agreement.second) == ("Ada", "judge")
    assert (agreement.kappas["overall"].n, agreement.kappas["overall"].kappa) == (10, 1)
    assert json.loads(json.dumps(report.to_dict()))["rules"] == "infimed"


@pytest.mark.parametrize("changed", [{"model": "other"}, {"prompt_version": "0"}])
def test_scores_of_several_judges_are_not_mixed(tmp_path, changed):
    lines = [assessment(0).to_dict(), {**assessment(1).to_dict(), **changed}]
    path = write_lines(tmp_path / "scores.jsonl", lines)
    with pytest.raises(InputError, match=r"scores.jsonl: holds scores of several judges"):
        report_on(path)


def test_no_results_are_an_error(tmp_path):
    path = write_lines(tmp_path / "scores.jsonl", [])
    with pytest.raises(InputError, match="holds no results"):
        report_on(path)
    path.write_text("[]\n")
    with pytest.raises(FormatError, match=r"scores\.jsonl"):
        report_on(path)
