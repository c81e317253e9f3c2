"""Assessments are read as they were written, or not at all."""

import pytest
from review_inputs import write_log

from packkit.base.errors import FormatError
from packkit.infimed.chat import Spending
from packkit.infimed.curation.assessments import Assessment, read_assessments

OK = {
    "request": "r1",
    "key": "0" * 16,
    "dataset": "a",
    "id": None,
    "source": "a.jsonl",
    "position": 0,
    "has_image": True,
    "model": "m",
    "prompt_version": "1",
    "state": "ok",
    "scores": {
        "accuracy": 4,
        "clarity": 4,
        "completeness": 4,
        "imaging_relevance": 1,
        "practicality": 4,
        "overall": 4,
    },
    "comments": {},
    "reply": "",
    "error": "",
    "attempts": 2,
    "prompt_tokens": 10,
    "completion_tokens": 5,
    "cost": 0.5,
}
FAILED = {**OK, "state": "http_error", "scores": {}, "error": "HTTP 500"}


def test_last_line_of_each_sample_and_request_holds(tmp_path):
    records = [FAILED, {**OK, "dataset": "b"}, {**FAILED, "request": "r2"}, OK]
    path = write_log(tmp_path / "scores.jsonl", records)
    lines = read_assessments(path)
    assert [(line.request, line.dataset, line.state) for line in lines] == [
        ("r1", "a", "ok"),
        ("r1", "b", "ok"),
        ("r2", "a", "http_error"),
    ]
    assert lines[0].to_dict() == OK
    assert lines[0].spent == Spending(2, 10, 5, 0.5)
    assert Assessment.from_dict(OK) == lines[0]


def test_line_that_is_still_being_written_is_left_out(tmp_path):
    path = write_log(tmp_path / "scores.jsonl", [OK])
    with open(path, "ab") as file:
        file.write(b'{"request":"r')
    assert len(read_assessments(path)) == 1


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({**OK, "score": 1}, "field score is unknown"),
        ({name: OK[name] for name in OK if name != "model"}, "field model is missing"),
        ({**OK, "state": "fine"}, "state must be one of ok, parse_error, refused, http_error"),
        ({**OK, "scores": {"accuracy": 4}}, "scores.clarity must be 1 to 5, got None"),
        ({**OK, "scores": {**OK["scores"], "overall": 6}}, "scores.overall"),
        ({**FAILED, "scores": OK["scores"]}, "must be empty"),
        ({**OK, "scores": 4}, "not an assessment: scores must be an object"),
        ({"request": "r1"}, "must hold request, dataset, key"),
    ],
)
def test_other_lines_are_errors(tmp_path, record, words):
    path = write_log(tmp_path / "scores.jsonl", [record])
    with pytest.raises(FormatError, match=words):
        read_assessments(path)
