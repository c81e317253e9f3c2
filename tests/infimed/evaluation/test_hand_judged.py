"""The strict rules agree with a fair reader, and are never more lenient than one."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.infimed.evaluation.questions import Question
from packkit.infimed.evaluation.scorers import StrictScorer

TABLES = tomllib.loads(Path(__file__).with_name("hand_judged.toml").read_text("utf-8"))["question"]
CASES = [
    (
        Question(benchmark="slake", key="1", **{k: v for k, v in table.items() if k != "replies"}),
        *row,
    )
    for table in TABLES
    for row in table["replies"]
]


def verdict(question, reply):
    reading = StrictScorer().read(question, reply)
    if reading.answer is None:
        return "unparsed"
    return "right" if reading.is_right else "wrong"


def test_nine_in_ten_agree_and_none_is_judged_too_leniently():
    read = [(reply, expected, verdict(question, reply)) for question, reply, expected in CASES]
    lenient = [case for case in read if case[2] == "right" != case[1]]
    assert lenient == []
    agreed = sum(expected == given for _, expected, given in read)
    assert agreed / len(read) >= 0.9, [case for case in read if case[1] != case[2]]


@pytest.mark.parametrize(
    "leak", ["{}<|im_end|>", "{}</s>", "<s>{}", "{}<|eot_id|>\n", "{}<end_of_turn>"]
)
def test_leaked_control_tokens_change_no_verdict(leak):
    for question, reply, _ in CASES:
        if "<" not in reply:
            assert verdict(question, leak.format(reply)) == verdict(question, reply), reply


@given(st.sampled_from(CASES), st.sampled_from("-‐‑–—−"))
def test_the_kind_of_dash_between_digits_changes_no_verdict(case, dash):
    question, reply, _ = case
    changed = reply.replace("5-10", f"5{dash}10").replace("5-100", f"5{dash}100")
    assert verdict(question, changed) == verdict(question, reply)


@pytest.mark.parametrize(
    "text", ["9" * 8000, "9" * 8000 + " cm", "no " * 3000, "A " * 4000, "<" * 5000]
)
def test_long_replies_take_no_time(text):
    for question, *_ in CASES[:: len(CASES) // 12]:
        verdict(question, text)
