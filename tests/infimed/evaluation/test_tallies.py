"""Counts add up, accuracies are over what is decided, intervals hold what they say."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from result_folders import choice, question

from packkit.infimed.evaluation.tallies import (
    BenchmarkTallies,
    tally_verdicts,
    wilson_interval,
)
from packkit.infimed.evaluation.verdicts import Verdict

OUTCOMES = ("right", "wrong", "unparsed", "judge_failed")


def verdict(asked, outcome, **fields):
    options = {"answer": "x", "by": "rules", **fields}
    return Verdict(benchmark=asked.benchmark, question=asked.key, outcome=outcome, **options)


@given(
    st.lists(st.tuples(st.sampled_from(OUTCOMES), st.booleans(), st.sampled_from("ab")), min_size=1)
)
def test_every_answer_is_counted_once_in_each_breakdown(rows):
    questions = [
        question(str(number), "open" if is_open else "closed", groups={"modality": group})
        for number, (_, is_open, group) in enumerate(rows)
    ]
    verdicts = [verdict(asked, row[0]) for asked, row in zip(questions, rows, strict=True)]
    benchmark = tally_verdicts(questions, verdicts)
    total = benchmark.total
    parts = [(benchmark.open, benchmark.closed), tuple(benchmark.groups["modality"].values())]
    for tallies in parts:
        for name in ("n", "right", "unparsed", "judge_failed"):
            assert sum(getattr(tally, name) for tally in tallies) == getattr(total, name)
    outcomes = [row[0] for row in rows]
    assert total.n == len(rows)
    assert total.right == outcomes.count("right")
    assert total.decided == len(rows) - outcomes.count("judge_failed")
    for tally in (total, benchmark.open, benchmark.closed):
        if tally.decided:
            low, high = tally.interval
            assert 0 <= low <= tally.accuracy == tally.right / tally.decided <= high <= 1
        else:
            assert tally.accuracy is tally.interval is None
    assert BenchmarkTallies.from_dict(benchmark.to_dict()) == benchmark


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
    answers = ["the left lung lower lobe", None, "B"]
    verdicts = [
        verdict(question, "wrong", answer=answer)
        for question, answer in zip(asked, answers, strict=True)
    ]
    assert tally_verdicts(asked, verdicts).overlap == (0.2, 0.5, pytest.approx(2 / 7))
    assert tally_verdicts(asked[2:], verdicts[2:]).overlap is None


def test_guesses_are_counted():
    questions = [choice(str(number)) for number in range(3)]
    verdicts = [verdict(asked, "right", is_guess=asked.key != "1") for asked in questions]
    assert tally_verdicts(questions, verdicts).guesses == 2


def test_every_breakdown_is_kept():
    groups = {"modality": "CT", "question_type": "Organ"}
    asked = [question("0", groups=groups), question("1", groups={"question_type": "Size"})]
    verdicts = [verdict(asked[0], "right"), verdict(asked[1], "wrong")]
    groups = tally_verdicts(asked, verdicts).groups
    assert {by: list(values) for by, values in groups.items()} == {
        "modality": ["CT"], "question_type": ["Organ", "Size"]
    }  # fmt: skip
