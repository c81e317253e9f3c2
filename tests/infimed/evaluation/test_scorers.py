"""What holds for both scorers: gold is right, others are wrong, and reading again is the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import InputError
from packkit.infimed.evaluation.questions import Question
from packkit.infimed.evaluation.scorers import SCORERS, Overlap, scorer_named, token_overlap

CHOICES = ("mmmu", "pmc-vqa", "omnimedvqa", "medxpertqa")
OPEN = ("mmmu", "vqa-rad", "path-vqa", "slake")
OPTIONS = {"A": "Aorta", "B": "Vena cava", "C": "Portal vein", "D": "Spleen", "E": "Liver"}

scorers = pytest.mark.parametrize("scorer", [scorer_named(name) for name in SCORERS], ids=SCORERS)


def question(benchmark, kind, gold, **fields):
    return Question(benchmark=benchmark, key="1", text="?", kind=kind, gold=gold, **fields)


ALL = [
    *(question(name, "choice", letter, options=OPTIONS) for name in CHOICES for letter in OPTIONS),
    *(question(name, "yes_no", gold) for name in ("vqa-rad", "path-vqa") for gold in ("yes", "No")),
    *(question("slake", "closed", gold) for gold in ("Yes", "no", "Lung", "X-ray", "是", "没有")),
    *(question(name, "open", gold) for name in OPEN for gold in ("Left lung", "60", "肺、心脏")),
]
PIECES = [
    *(
        "A",
        "(B)",
        "b",
        " ",
        "\n\n",
        ".",
        "**Answer:** ",
        "answer is ",
        "答案:",
        "<answer>",
        "</answer>",
    ),
    *(
        "\\boxed{",
        "}",
        "boxed",
        "yes",
        "no",
        "None",
        "Lung",
        "aorta",
        "not ",
        "是",
        "60",
        "</think>",
    ),
]
REPLIES = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)


@scorers
@pytest.mark.parametrize("asked", ALL, ids=lambda asked: f"{asked.benchmark}-{asked.gold}")
def test_gold_itself_is_right_and_no_guess(scorer, asked):
    reading = scorer.read(asked, asked.gold)
    assert reading.is_right and not reading.is_guess


@scorers
@pytest.mark.parametrize("name", CHOICES)
def test_letters_of_other_options_are_wrong(scorer, name):
    for gold in OPTIONS:
        asked = question(name, "choice", gold, options=OPTIONS)
        readings = [scorer.read(asked, letter) for letter in OPTIONS if letter != gold]
        assert not any(reading.is_right for reading in readings)
        assert {reading.answer for reading in readings} == {*OPTIONS} - {gold}


@scorers
@given(st.sampled_from(ALL), REPLIES)
def test_every_reply_is_read_and_read_again_the_same(scorer, asked, reply):
    reading = scorer.read(asked, reply)
    assert reading == scorer_named(scorer.name).read(asked, reply)
    assert reading.answer is not None or not reading.is_right


@scorers
def test_judge_is_asked_about_open_questions(scorer):
    asked = {name for name in OPEN if scorer.asks_judge(question(name, "open", "Lung"))}
    assert asked == ({*OPEN} if scorer.name == "strict" else {*OPEN} - {"mmmu"})
    assert not scorer.asks_judge(question("slake", "closed", "Lung"))


def test_unknown_scorer_is_refused():
    with pytest.raises(InputError, match="scorer must be one of medevalkit, strict, got 'lenient'"):
        scorer_named("lenient")


def test_overlap_counts_distinct_words():
    assert token_overlap("The left left lung", "Left lung base") == Overlap(2 / 3, 2 / 3, 2 / 3)
    assert token_overlap("a b c d", "a") == Overlap(0.25, 1.0, 0.4)
    for answer, gold in (("", "lung"), ("lung", ""), ("", ""), ("heart", "lung")):
        assert token_overlap(answer, gold) == Overlap(0.0, 0.0, 0.0)
