"""Rules decide as they say, and name what decided."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from review_inputs import THRESHOLD, assessment, rule_tables

from packkit.infimed.curation.rules import check_rules, shipped_rules
from packkit.infimed.curation.summaries import summarize
from packkit.infimed.curation.verdicts import decide
from packkit.infimed.data.catalog import catalog


def rules(*thresholds, **fields):
    return check_rules(rule_tables(*thresholds, **fields), "rules.toml")


def summary(values, **options):
    lines = [assessment(n, "a", value, **options) for n, value in enumerate(values)]
    (data_set,) = summarize(lines)
    return data_set


def test_shipped_exclusions_are_those_of_the_catalogue():
    shipped = shipped_rules()
    excluded = {name for name, data_set in catalog().items() if data_set.excluded}
    assert {exclusion.data_set for exclusion in shipped.exclusions} == excluded
    for exclusion in shipped.exclusions:
        verdict = decide(replace(summary([5] * 200), name=exclusion.data_set), shipped)
        assert verdict.decision == "drop"
        assert verdict.reason == f"exclusion of {exclusion.data_set}: {exclusion.reason}"


@pytest.mark.parametrize(
    ("values", "decision", "reason"),
    [
        ([5] * 200, "keep", "overall mean at least 3: 5 of 200 samples, holds"),
        ([2] * 200, "drop", "overall mean at least 3: 2 of 200 samples, fails"),
        ([5] * 99, "undecided", "min_samples 100: 99 scored"),
    ],
)
def test_shipped_thresholds_decide(values, decision, reason):
    verdict = decide(summary(values), shipped_rules())
    assert verdict.decision == decision
    assert reason in verdict.reason
    assert len(verdict.findings) == len(shipped_rules().thresholds)


@given(st.lists(st.integers(1, 5), min_size=2, max_size=30), st.floats(1, 5))
def test_one_threshold_is_one_comparison(values, limit):
    mean = sum(values) / len(values)
    for bound, holds in (("at_least", mean >= limit), ("at_most", mean <= limit)):
        threshold = {"criterion": "clarity", "measure": "mean", bound: limit}
        verdict = decide(summary(values), rules(threshold))
        assert verdict.decision == ("keep" if holds else "drop")
        assert verdict.findings[0].value == pytest.approx(mean)


def test_every_measure_is_looked_up():
    data_set = summary([1, 2, 3, 4, 5, 5])
    overall = data_set.scores["overall"]
    for measure in ("mean", "share_low", "ci_low", "ci_high"):
        threshold = {"criterion": "overall", "measure": measure, "at_most": 1.0}
        (finding,) = decide(data_set, rules(threshold)).findings
        assert finding.value == getattr(overall, measure)


def test_low_coverage_is_undecided():
    lines = [assessment(n, state="ok" if n < 4 else "refused") for n in range(10)]
    verdict = decide(summarize(lines)[0], rules())
    assert (verdict.decision, verdict.reason) == (
        "undecided",
        "min_coverage 0.5: 4 of 10 scored, 0.4",
    )


IMAGES = {"criterion": "imaging_relevance", "measure": "mean", "at_least": 3}


def test_imaging_relevance_does_not_count_without_images():
    verdict = decide(summary([5] * 10, has_image=False), rules(IMAGES, THRESHOLD))
    assert verdict.decision == "keep"
    assert verdict.findings[0].outcome == "no images"
    assert "imaging_relevance mean at least 3: no scores, no images" in verdict.reason


def test_too_few_images_leave_it_undecided_unless_another_threshold_fails():
    def judged(score):
        few = [assessment(n, score=score, has_image=n == 0) for n in range(10)]
        return decide(summarize(few)[0], rules(IMAGES, THRESHOLD))

    assert judged(5).decision == "undecided"
    assert judged(5).reason.endswith("of 1 samples, too few samples")
    assert judged(1).decision == "drop"
