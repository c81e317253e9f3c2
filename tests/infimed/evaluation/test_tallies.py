"""Counts add up, accuracies are over what is decided, intervals hold what they say."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from result_folders import choice, question

from packkit.infimed.evaluation.score_file import IncompleteError, ScoreFile
from packkit.infimed.evaluation.tallies import (
    BenchmarkTallies,
    Tally,
    tally_verdicts,
    wilson_interval,
)
from packkit.infimed.evaluation.verdicts import Verdict

OUTCOMES = ("right", "wrong", "unparsed", "judge_failed")


def verdict(one, outcome, **fields):
    return Verdict(
        benchmark=one.benchmark, question=one.key, outcome=outcome, answer="x", by="rules", **fields
    )


@given(
    st.lists(st.tuples(st.sampled_from(OUTCOMES), st.booleans(), st.sampled_from("ab")), min_size=1)
)
def test_every_answer_is_counted_once_in_each_breakdown(rows):
    questions = [
        question(str(number), "open" if is_open else "closed", groups={"modality": group})
        for number, (_, is_open, group) in enumerate(rows)
    ]
    found = tally_verdicts(
        questions, [verdict(one, row[0]) for one, row in zip(questions, rows, strict=True)]
    )
    parts = [(found.open, found.closed), tuple(found.groups["modality"].values())]
    for tallies in parts:
        for name in ("n", "right", "unparsed", "judge_failed"):
            assert sum(getattr(one, name) for one in tallies) == getattr(found.total, name)
    outcomes = [row[0] for row in rows]
    assert found.total.n == len(rows)
    assert found.total.right == outcomes.count("right")
    assert found.total.decided == len(rows) - outcomes.count("judge_failed")
    for tally in (found.total, found.open, found.closed):
        if tally.decided:
            low, high = tally.interval
            assert 0 <= low <= tally.accuracy == tally.right / tally.decided <= high <= 1
        else:
            assert tally.accuracy is tally.interval is None
    assert BenchmarkTallies.from_dict(found.to_dict()) == found


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_ends_of_the_interval_are_where_the_score_test_turns(pair):
    right, n = pair
    z = 1.959963984540054
    for bound in wilson_interval(right, n):
        if 0 < bound < 1:
            score = abs(right / n - bound) / math.sqrt(bound * (1 - bound) / n)
            assert score == pytest.approx(z, rel=1e-6)
    mirrored = wilson_interval(n - right, n)
    assert wilson_interval(right, n) == pytest.approx((1 - mirrored.high, 1 - mirrored.low))


def test_shared_words_of_open_answers_are_the_mean_of_their_shares():
    asked = [question("0", gold="left lung"), question("1", gold="aorta"), choice("2")]
    verdicts = [
        Verdict(benchmark=one.benchmark, question=one.key, outcome="wrong", answer=said, by="rules")
        for one, said in zip(asked, ["the left lung lower lobe", None, "B"], strict=True)
    ]
    assert tally_verdicts(asked, verdicts).overlap == (0.2, 0.5, pytest.approx(2 / 7))
    assert tally_verdicts(asked[2:], verdicts[2:]).overlap is None


def test_guesses_are_counted():
    questions = [choice(str(number)) for number in range(3)]
    verdicts = [verdict(one, "right", is_guess=one.key != "1") for one in questions]
    assert tally_verdicts(questions, verdicts).guesses == 2


def scores_of(accuracies):
    """Scores with these shares of 1,000 questions right."""
    none = Tally(0, 0, 0, 0)
    summaries = {
        name: BenchmarkTallies(
            benchmark=name,
            total=(total := Tally(1000, round(1000 * share), 0, 0)),
            closed=total,
            open=none,
            guesses=0,
            overlap=None,
            groups={},
        )
        for name, share in accuracies.items()
    }
    return ScoreFile(
        model="m",
        scorer="strict",
        scorer_version="1",
        seed=0,
        judge=None,
        judge_prompt_version=None,
        prompt_version="1",
        answers="0" * 16,
        questions={},
        benchmarks=summaries,
    )


SEVEN = {
    "mmmu": 0.4,
    "vqa-rad": 0.5,
    "slake": 0.6,
    "path-vqa": 0.7,
    "pmc-vqa": 0.3,
    "omnimedvqa": 0.8,
    "medxpertqa": 0.2,
}


def test_average_is_the_unweighted_mean_of_all_seven(tmp_path):
    scores = scores_of(SEVEN)
    assert scores.average == pytest.approx(0.5)
    scores.write(tmp_path / "scores.json")
    assert ScoreFile.read(tmp_path / "scores.json") == scores


@pytest.mark.parametrize("left_out", SEVEN)
def test_average_is_refused_while_a_benchmark_is_missing(left_out):
    scores = scores_of({name: share for name, share in SEVEN.items() if name != left_out})
    with pytest.raises(IncompleteError, match=f"no average: {left_out} missing") as caught:
        _ = scores.average
    assert caught.value.missing == (left_out,)
    assert scores.to_dict()["average"] is None
    assert scores.to_dict()["missing"] == (left_out,)


def test_every_breakdown_is_kept():
    groups = {"modality": "CT", "question_type": "Organ"}
    one, other = question("0", groups=groups), question("1", groups={"question_type": "Size"})
    found = tally_verdicts([one, other], [verdict(one, "right"), verdict(other, "wrong")]).groups
    assert {by: list(values) for by, values in found.items()} == {
        "modality": ["CT"], "question_type": ["Organ", "Size"]
    }  # fmt: skip
