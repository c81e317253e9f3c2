"""A model that is always right gets 1.0 and one that never is 0.0, by all rules and judges."""

import json

import pytest
from benchmark_folders import write_benchmark
from result_folders import fill
from scripted_judge import ScriptedJudge

from packkit.infimed.evaluation.benchmarks import BENCHMARKS, read_benchmark
from packkit.infimed.evaluation.scorers import SCORERS
from packkit.infimed.evaluation.scoring import ScoreConfig, score

OPPOSITES = {"yes": "no", "no": "yes", "是": "否", "否": "是"}


@pytest.fixture(scope="module")
def questions(tmp_path_factory):
    """The questions of each benchmark."""
    folder = tmp_path_factory.mktemp("benchmarks")
    return {name: read_benchmark(name, write_benchmark(name, folder / name)) for name in BENCHMARKS}


def right(question):
    return question.gold


def wrong(question):
    if question.kind == "choice":
        return next(letter for letter in reversed(question.options) if letter != question.gold)
    return OPPOSITES.get(question.gold.strip().lower(), "zebra")


def by_gold(messages):
    """A judge for whom the words must be the same."""
    graded = json.loads(messages[-1]["content"])
    is_same = graded["answer"].strip().lower() == graded["reference"].strip().lower()
    return json.dumps({"reason": "", "correct": is_same})


@pytest.mark.parametrize("judge", [None, "j"], ids=["rules", "judge"])
@pytest.mark.parametrize("scorer", SCORERS)
@pytest.mark.parametrize("name", BENCHMARKS)
@pytest.mark.parametrize(
    ("answer", "expected"), [(right, 1.0), (wrong, 0.0)], ids=["right", "wrong"]
)
def test_all_right_is_one_and_all_wrong_is_zero(
    tmp_path, questions, answer, expected, name, scorer, judge
):
    results = fill(tmp_path, [(question, answer(question)) for question in questions[name]])
    config = ScoreConfig(scorer=scorer, judge=judge)
    tallies = score(results, config, judge=ScriptedJudge("j", by_gold)).benchmarks[name]
    assert tallies.total.accuracy == expected
    assert tallies.closed.n + tallies.open.n == tallies.total.n == len(questions[name])
    for tally in (tallies.closed, tallies.open):
        assert tally.accuracy in (expected, None)
    for values in tallies.groups.values():
        assert {tally.accuracy for tally in values.values()} == {expected}
    assert tallies.total.unparsed == tallies.total.judge_failed == 0


@pytest.mark.parametrize("scorer", SCORERS)
def test_half_right_is_half(tmp_path, questions, scorer):
    asked = questions["slake"]
    answers = [
        (question, (right, wrong)[number % 2](question)) for number, question in enumerate(asked)
    ]
    results = fill(tmp_path, answers)
    config = ScoreConfig(scorer=scorer, judge="j")
    tallies = score(results, config, judge=ScriptedJudge("j", by_gold)).benchmarks["slake"]
    assert tallies.total.right == (len(asked) + 1) // 2
    assert tallies.closed.right + tallies.open.right == tallies.total.right
    languages = tallies.groups["language"]
    assert set(languages) == {"en", "zh"}
    assert sum(tally.right for tally in languages.values()) == tallies.total.right
