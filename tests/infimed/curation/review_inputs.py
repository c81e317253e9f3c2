"""Results of a judge, ratings of people and rules, as the tests of the report make them."""

from packkit.base.append_log import log_line
from packkit.infimed.curation.assessments import Assessment
from packkit.infimed.curation.rubric import RUBRIC

THRESHOLD = {"criterion": "overall", "measure": "mean", "at_least": 3}


def write_log(path, records):
    """Writes lines as a log of results holds them."""
    path.write_bytes(b"".join(map(log_line, records)))
    return path


def assessment(number, dataset="a", score=4, *, state="ok", has_image=True, **changes):
    """What came of one sample: one and the same score in each criterion, unless changed."""
    scores = {**dict.fromkeys(RUBRIC, score), **changes} if state == "ok" else {}
    return Assessment(
        key=f"{number:016x}",
        request=f"{dataset}-{number}",
        dataset=dataset,
        id=None,
        source="a.jsonl",
        position=number,
        has_image=has_image,
        model="judge",
        prompt_version="1",
        state=state,
        scores=scores,
        comments={},
        reply="",
        error="" if state == "ok" else "HTTP 500",
        attempts=1,
        prompt_tokens=10,
        completion_tokens=5,
        cost=None,
    )


def rating(number, score=4, **changes):
    """What a person said of one sample."""
    scores = {**dict.fromkeys(RUBRIC, score), **changes}
    return {"key": f"{number:016x}", "scores": scores, "comment": ""}


def rule_tables(*thresholds, **fields):
    """The tables of a file of rules: one threshold, unless others are given."""
    base = {"version": 1, "name": "x", "min_samples": 2, "min_coverage": 0.5}
    return {**base, "thresholds": [*thresholds] or [THRESHOLD], **fields}
