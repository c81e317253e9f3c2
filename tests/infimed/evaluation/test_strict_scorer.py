"""Only what is said outright counts, and nothing is right by substring, likeness or chance."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from packkit.infimed.evaluation.questions import Question
from packkit.infimed.evaluation.scorers import StrictScorer
from packkit.infimed.evaluation.scorers.phrases import declared, is_same

OPTIONS = {
    "A": "Aorta",
    "B": "Vena cava",
    "C": "Vitamin C level",
    "D": "A and B only",
    "E": "5.5 mm",
}
STATED = [
    *("{}", "{}.", " {}\n", "**{}**", "Answer: {}", "**Answer:** {}", "### Final Answer\n\n{}"),
    *(
        "The answer is {}.",
        "The correct answer is: {}",
        "$\\boxed{{{}}}$",
        "\\boxed{{\\text{{{}}}}}",
    ),
    *("<answer>\n{}\n</answer>", "<think>Spleen or B?</think>{}", "答案：{}", "答案是{}。"),
    *("Answer: no.\nB? So the answer is {}. It is seen.", '{{"answer": "{}"}}'),
]
WORDS = [
    *("A", "a", "B", "(B)", "C", "E.", "the", "is", "not", "or", "aorta", "Vena", "cava", "lungs"),
    *(
        "answer",
        "is",
        "answer:",
        "\\boxed{",
        "}",
        "<answer>",
        "therefore",
        "option",
        ".",
        "\n",
        "，",
    ),
    *("yes", "Yes,", "No.", "no", "know", "是", "不", "没有。", "left", "lung", "60", "600"),
]
REPLIES = st.lists(st.sampled_from(WORDS), max_size=7).map(" ".join)


def ask(kind, gold, benchmark="slake", **fields):
    return Question(benchmark=benchmark, key="1", text="?", kind=kind, gold=gold, **fields)


def words_of(text):
    return set(re.findall(r"\w+", text))


def read(asked, reply):
    return StrictScorer().read(asked, reply)


@pytest.mark.parametrize("form", STATED)
def test_stated_answers_are_read(form):
    for letter, text in OPTIONS.items():
        asked = ask("choice", letter, "medxpertqa", options=OPTIONS)
        for said in (
            letter,
            letter.lower(),
            f"({letter})",
            f"{letter}. {text}",
            f"{letter} {text}",
            text,
        ):
            assert read(asked, form.format(said)).answer == letter
    for gold in ("yes", "no"):
        assert read(ask("yes_no", gold), form.format(gold.title())).is_right
        assert not read(ask("yes_no", gold), form.format("是" if gold == "no" else "否")).is_right
    for gold in ("Lung", "E. coli", "3.5 cm", "肺", "heart, Lung"):
        assert read(ask("closed", gold), form.format(gold)).is_right
        assert read(ask("closed", gold), form.format("spleen")).answer is not None


@given(REPLIES, st.sampled_from("ABCDE"))
def test_no_option_is_right_that_the_reply_does_not_name(reply, gold):
    assume(gold not in words_of(reply.upper()) and OPTIONS[gold].lower() not in reply.lower())
    assert not read(ask("choice", gold, "medxpertqa", options=OPTIONS), reply).is_right


@given(REPLIES, st.sampled_from(["lung", "left lung", "60", "肺", "heart, lung"]))
def test_no_phrase_is_right_that_the_reply_does_not_have(reply, gold):
    # An article within a phrase does not count.
    assume(not all(part in reply.replace("the ", "") for part in gold.split(", ")))
    assert not read(ask("closed", gold), reply).is_right
    assert not read(ask("open", gold), reply).is_right


@given(REPLIES, st.sampled_from(["yes", "no"]))
def test_yes_and_no_need_their_word(reply, gold):
    assume(not {"yes": {"yes", "是"}, "no": {"no", "不", "没有"}}[gold] & words_of(reply.lower()))
    assert not read(ask("yes_no", gold), reply).is_right


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("Lung", None),
        ("This answer is short.", None),
        ("The answer is", ""),
        ("\\boxed{A} or \\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{A", None),
        ("<answer>A", "A"),
        ("<answer>\\boxed{A}</answer>", "A"),
        ("\\boxed{Answer: A}", "A"),
        ("The answer to this question would be:\nA", "A"),
        ("I am so sure", None),
        ("Thus, B.", "B."),
        ("Thus, B is wrong.", None),
    ],
)
def test_last_declaration_counts(reply, said):
    assert declared(reply) == said


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("1,000", "1000.0", True),
        ("-5", "5", False),
        ("60%", "60", False),
        ("<5 mm", "5 mm", False),
        ("Crohn's disease", "crohns disease", True),
        ("T1-weighted", "t1 weighted", True),
        ("the left lung", "Left  lung.", True),
        ("hepatitis A", "hepatitis", False),
        ("A", "the", False),
        ("a lung", "It's the lung", True),
        ("A. lung", "lung", False),
        ("ＣＴ", "ct", True),
        ("heart, lung", "lung", False),
        ("", "", False),
    ],
)
def test_phrases_are_the_same_only_where_nothing_of_meaning_differs(first, second, same):
    assert is_same(first, second) is is_same(second, first) is same


@pytest.mark.parametrize(
    "reply",
    [
        *("A mass is seen", "A or B", "A, B", "A. Vena cava", "A. Aorta B. Vena cava", "F"),
        *("not the aorta but the vena cava", "Neither A nor B is correct", "Option A is wrong"),
        *("A. Aorta: no\nB. Vena cava: yes", "Aorta? No, vena cava.", "The answer is not A", "A-B"),
        *("Answer: A or B", "Answer:", "Answer: A. Vena cava", "I do not know", "<think>A", ""),
    ],
)
def test_unclear_choices_are_unparsed(reply):
    options = {"A": "Aorta", "B": "Vena cava", "C": "None"}
    assert read(ask("choice", "A", "medxpertqa", options=options), reply).answer is None


def test_letters_name_options_also_where_texts_are_letters():
    options = {"A": "B", "B": "A", "C": "C"}
    assert read(ask("choice", "B", "mmmu", options=options), "B").is_right
    assert read(ask("choice", "A", "mmmu", options={"A": "Only"}), "A. Or not").is_right


def test_judge_gets_no_reasoning():
    asked = Question(benchmark="vqa-rad", key="1", text="?", kind="open", gold="aorta")
    assert StrictScorer().read(asked, "<think>The lung?</think> The vein.").answer == "The vein."
