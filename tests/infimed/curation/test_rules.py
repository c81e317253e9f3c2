"""Rules are checked key by key, and decide as they say."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from review_inputs import assessment

from packkit.base.errors import InputError
from packkit.infimed.curation.rules import check_rules, decide, read_rules, shipped_rules
from packkit.infimed.curation.summaries import summarize
from packkit.infimed.data.catalog import catalog

THRESHOLD = {"criterion": "overall", "measure": "mean", "at_least": 3}


def tables(*thresholds, **fields):
    base = {"version": 1, "name": "x", "min_samples": 2, "min_coverage": 0.5}
    return {**base, "thresholds": [*thresholds] or [THRESHOLD], **fields}


def rules(*thresholds, **fields):
    return check_rules(tables(*thresholds, **fields), "rules.toml")


def summary(values, **options):
    (found,) = summarize(assessment(n, "a", value, **options) for n, value in enumerate(values))
    return found


def test_shipped_exclusions_are_those_of_the_catalogue():
    shipped = shipped_rules()
    excluded = {name for name, data_set in catalog().items() if data_set.excluded}
    assert {one.data_set for one in shipped.exclusions} == excluded
    for one in shipped.exclusions:
        verdict = decide(replace(summary([5] * 200), name=one.data_set), shipped)
        assert verdict.decision == "drop"
        assert verdict.reason == f"exclusion of {one.data_set}: {one.reason}"


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
    found = sum(values) / len(values)
    for bound, holds in (("at_least", found >= limit), ("at_most", found <= limit)):
        threshold = {"criterion": "clarity", "measure": "mean", bound: limit}
        verdict = decide(summary(values), rules(threshold))
        assert verdict.decision == ("keep" if holds else "drop")
        assert verdict.findings[0].value == pytest.approx(found)


def test_every_measure_is_looked_up():
    data_set = summary([1, 2, 3, 4, 5, 5])
    overall = data_set.scores["overall"]
    for measure in ("mean", "share_low", "ci_low", "ci_high"):
        threshold = {"criterion": "overall", "measure": measure, "at_most": 1.0}
        (finding,) = decide(data_set, rules(threshold)).findings
        assert finding.value == getattr(overall, measure)


def test_low_coverage_is_undecided():
    found = [assessment(n, state="ok" if n < 4 else "refused") for n in range(10)]
    verdict = decide(summarize(found)[0], rules())
    assert (verdict.decision, verdict.reason) == (
        "undecided",
        "min_coverage 0.5: 4 of 10 scored, 0.4",
    )


IMAGES = {"criterion": "imaging_relevance", "measure": "mean", "at_least": 3}


def test_imaging_relevance_is_passed_over_without_images():
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


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (tables(version=2), "version must be 1"),
        (tables(minimum=3), "minimum is no key"),
        (tables(min_samples=1), "min_samples must be at least 2, got 1"),
        (tables(min_coverage=90), r"min_coverage must be in 0\.\.1, got 90"),
        ({**tables(), "thresholds": []}, "thresholds must hold at least one"),
        (tables({**THRESHOLD, "criterion": "beauty"}), "criterion must be one of accuracy"),
        (tables({**THRESHOLD, "measure": "median"}), "measure"),
        (tables({**THRESHOLD, "at_most": 4}), "at_least or at_most must be given, and not both"),
        (tables({"criterion": "overall", "measure": "mean"}), "at_least or at_most must be given"),
        (tables({**THRESHOLD, "at_least": 6}), r"overall mean must be in 1\.\.5, got 6"),
        (tables({**THRESHOLD, "measure": "share_low"}), r"share_low must be in 0\.\.1, got 3"),
        (tables({**THRESHOLD, "at_least": "3"}), "at_least"),
        (tables(exclusions=[{"data_set": "a"}]), "reason"),
        (tables(exclusions=[{"data_set": "a", "reason": " "}]), "reason must not be empty"),
        (tables(exclusions=[{"data_set": "a", "reason": "b"}] * 2), "a stands there 2 times"),
    ],
)
def test_what_is_wrong_is_named(broken, message):
    with pytest.raises(InputError, match=message):
        check_rules(broken, "rules.toml")


def test_rules_are_read_from_a_file(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(
        'version = 1\nname = "mine"\nmin_samples = 5\nmin_coverage = 1\n'
        '[[thresholds]]\ncriterion = "accuracy"\nmeasure = "ci_low"\nat_least = 3.5\n'
    )
    assert read_rules(path).thresholds[0].text == "accuracy ci_low at least 3.5"
    with pytest.raises(InputError, match=r"none\.toml: cannot read it"):
        read_rules(tmp_path / "none.toml")
