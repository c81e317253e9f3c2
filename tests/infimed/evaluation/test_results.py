"""The folder of results: what it holds, and what is seen when a file was changed."""

import pytest
from result_folders import answered, fill, question

from packkit.base.errors import FormatError, InputError
from packkit.infimed.evaluation.results import Results, answers_hash
from packkit.infimed.evaluation.scoring import ScoreConfig, score


def test_changed_questions_are_seen(tmp_path):
    results = fill(tmp_path, [(question("0"), "the aorta")])
    path = tmp_path / "questions" / "vqa-rad.jsonl"
    path.write_bytes(path.read_bytes().replace(b"aorta", b"heart"))
    with pytest.raises(FormatError, match="its hash differs"):
        score(results, ScoreConfig())


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(InputError, match=r"holds no results: run\.json is missing"):
        score(Results(tmp_path), ScoreConfig())


def test_answers_differ_by_text_and_by_state():
    asked = question("1")
    answers = [answered(asked, ""), answered(asked, "x"), answered(asked, "", "refused")]
    assert len({answers_hash({answer.identity: answer}) for answer in answers}) == 3
