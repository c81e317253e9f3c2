"""Draws come from a stated seed, and everything that MedEvalKit would count is read."""

from collections import Counter

import pytest

from packkit.infimed.evaluation.questions import Question
from packkit.infimed.evaluation.scorers import MedEvalKitScorer

OPTIONS = {"A": "Aorta", "B": "Vena cava", "C": "Portal vein", "D": "Spleen"}


def choice(key="1", benchmark="mmmu", options=OPTIONS):
    return Question(
        benchmark=benchmark, key=key, text="?", kind="choice", gold="A", options=options
    )


def drawn(seed, keys):
    scorer = MedEvalKitScorer(seed)
    return "".join(scorer.read(choice(str(key)), "**D**").answer for key in keys)


def test_draws_are_those_of_the_seed_in_any_order():
    assert drawn(0, range(1, 9)) == "CBCDDCAB"
    assert drawn(1, range(1, 9)) == "CCBBBBAD"
    assert drawn(0, range(8, 0, -1)) == "BACDDCBC"


def test_draws_favour_no_letter():
    counts = Counter(drawn(0, range(1000)))
    assert set(counts) == set(OPTIONS)
    assert min(counts.values()) > 200


def test_options_are_compared_as_the_benchmark_shows_them():
    # Of four characters " a:xx" and " b:yy" have two each, where the first one wins, but "a. xx"
    # has one and "b. yy" two.
    options = {"A": "xx", "B": "yy"}
    for name, letter in (("pmc-vqa", "A"), ("omnimedvqa", "B"), ("medxpertqa", "B")):
        reading = MedEvalKitScorer().read(choice(benchmark=name, options=options), "yy a")
        assert (reading.answer, reading.is_guess) == (letter, True)


@pytest.mark.parametrize(
    ("name", "answer"),
    [("slake", "Left Lung "), ("vqa-rad", "left lung"), ("path-vqa", "left lung")],
)
def test_judge_sees_what_box_or_tag_hold(name, answer):
    asked = Question(benchmark=name, key="1", text="?", kind="open", gold="lung")
    for reply in ("<answer>Left Lung </answer>!", "\\boxed{Left Lung}?", "Left Lung "):
        assert MedEvalKitScorer().read(asked, reply).answer.rstrip() == answer.rstrip()
