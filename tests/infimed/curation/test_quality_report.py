"""Scores, verdicts and agreement in one report on a file of results."""

import json
from dataclasses import replace

import pytest
from review_inputs import assessment, rating, write_log

from packkit.base.errors import FormatError, InputError
from packkit.infimed.curation import report_on


def test_report_joins_scores_verdicts_and_agreement(tmp_path):
    lines = [assessment(n, "a" if n % 3 else "pmc-oa", 1 + n % 5).to_dict() for n in range(300)]
    path = write_log(tmp_path / "scores.jsonl", lines)
    saved = tmp_path / "one.json"
    ratings = [rating(n, 1 + n % 5) for n in range(10)]
    saved.write_text(json.dumps({"sheet": "s", "rater": "Ada", "ratings": ratings}))
    report = report_on(path, ratings=[saved])
    assert [data_set.name for data_set in report.data_sets] == ["pmc-oa", "a"]
    assert [verdict.data_set for verdict in report.verdicts] == ["pmc-oa", "a"]
    assert report.verdicts[0].reason.startswith("exclusion of pmc-oa")
    (agreement,) = report.agreements
    assert (agreement.first, agreement.second) == ("Ada", "judge")
    assert (agreement.kappas["overall"].n, agreement.kappas["overall"].kappa) == (10, 1)
    assert json.loads(json.dumps(report.to_dict()))["rules"] == "infimed"


@pytest.mark.parametrize("changed", [{"model": "other"}, {"prompt_version": "0"}])
def test_scores_of_several_judges_are_not_mixed(tmp_path, changed):
    lines = [assessment(0).to_dict(), {**assessment(1).to_dict(), **changed}]
    path = write_log(tmp_path / "scores.jsonl", lines)
    with pytest.raises(InputError, match=r"scores.jsonl: holds scores of several judges"):
        report_on(path)


def test_no_results_are_an_error(tmp_path):
    path = write_log(tmp_path / "scores.jsonl", [])
    with pytest.raises(InputError, match="holds no results"):
        report_on(path)
    path.write_text("[]\n")
    with pytest.raises(FormatError, match=r"scores\.jsonl"):
        report_on(path)


def test_a_judge_without_scores_is_none(tmp_path):
    typo = [replace(assessment(n, state="http_error"), model="typo") for n in range(98)]
    scored = [assessment(n) for n in range(200, 210)]
    path = write_log(tmp_path / "scores.jsonl", [line.to_dict() for line in typo + scored])
    report = report_on(path)
    assert report.model == "judge"
    assert [(found.samples, found.states) for found in report.data_sets] == [(10, {"ok": 10})]
    # Where nobody has scores, the failures of the one who was asked are reported.
    alone = write_log(tmp_path / "alone.jsonl", [line.to_dict() for line in typo])
    assert report_on(alone).data_sets[0].states == {"http_error": 98}


def test_one_of_several_judges_is_chosen(tmp_path):
    lines = [assessment(0), replace(assessment(1, score=2), model="other")]
    path = write_log(tmp_path / "scores.jsonl", [line.to_dict() for line in lines])
    with pytest.raises(InputError, match="judge must name one of them"):
        report_on(path)
    report = report_on(path, judge="other")
    assert (report.model, report.data_sets[0].scores["overall"].mean) == ("other", 2)
    with pytest.raises(InputError, match=r"no scores of judge third, only of judge .*, other"):
        report_on(path, judge="third")
