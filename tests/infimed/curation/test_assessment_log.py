"""Equal requests are one task, and what it cost is noted once."""

import pytest
from review_inputs import assessment

from packkit.base.errors import FormatError
from packkit.infimed.chat import AnswerLog, Prices, Spending, TaskResult
from packkit.infimed.curation.assessment_log import AssessItem, AssessmentLog, open_requests
from packkit.infimed.curation.assessments import IDENTITY
from packkit.infimed.curation.replies import JudgeScores
from packkit.infimed.curation.rubric import RUBRIC
from packkit.infimed.curation.sampling import DrawnSample
from packkit.samples import Origin, Sample

ITEMS = [
    AssessItem("a", DrawnSample(n, Origin("a.jsonl", n), Sample(content=("CT.",))), request)
    for n, request in enumerate(["r1", "r2", "r1"])
]
SCORES = JudgeScores(dict.fromkeys(RUBRIC, 4), {})


@pytest.fixture
def log(tmp_path):
    with AnswerLog(tmp_path / "scores.jsonl", IDENTITY) as log:
        yield log


def test_requests_are_open_until_they_have_scores():
    shared, single = (ITEMS[0], ITEMS[2]), (ITEMS[1],)
    assert open_requests(ITEMS, []) == {"r1": shared, "r2": single}
    answered = [assessment(0, state="refused"), assessment(1)]
    lines = [line.from_dict({**line.to_dict(), "request": f"r{n}"}) for n, line in
             enumerate(answered, 1)]  # fmt: skip
    assert open_requests(ITEMS, lines) == {"r1": shared}


def test_first_of_the_samples_that_share_a_request_has_its_cost(log):
    kept = AssessmentLog(log, ITEMS, "m", Prices(1.0, 1.0))
    task = next(task for task in kept.tasks() if task.request == "r1")
    kept.record(task, TaskResult(state="http_error", error="HTTP 500", spent=Spending(1)))
    kept.record(task, TaskResult(state="ok", value=SCORES, spent=Spending(2, 600_000, 400_000)))
    attempts = {line["key"][-1]: line["attempts"] for line in log.records.values()}
    assert attempts == {"0": 2, "2": 0}
    assert kept.total == Spending(2, 600_000, 400_000, 1.0)
    assert kept.states("a") == {"ok": 2}
    # Another run over the same samples asks for the rest alone.
    again = AssessmentLog(log, ITEMS, "m", None)
    assert [task.request for task in again.tasks()] == ["r2"]


def test_log_of_something_else_is_an_error(log):
    log.append({"request": "r1", "dataset": "a", "key": "0", "verdict": "right"})
    with pytest.raises(FormatError, match=r"scores\.jsonl: not an assessment: field attempts"):
        AssessmentLog(log, ITEMS, "m", None)
