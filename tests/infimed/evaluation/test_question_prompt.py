"""Every kind of question is asked in the words that docs/evaluation.md states."""

import pytest
from result_folders import choice, question

from packkit.infimed.evaluation.question_prompt import prompt_for


@pytest.mark.parametrize(
    ("kind", "language", "words"),
    [
        ("yes_no", "en", "Please output 'yes' or 'no'(no extra output)."),
        ("yes_no", "zh", "请输出'是'或'否'(不要有任何其它输出)。"),
        ("closed", "en", "Answer the question using a single word or phrase."),
        ("closed", "zh", "请用一个单词或者短语回答该问题。"),
        ("open", "en", "Please answer the question concisely."),
        ("open", "zh", "请简要回答该问题。"),
    ],
)
def test_instruction_follows_the_question(kind, language, words):
    assert prompt_for(question("1", kind, text="Q", language=language)) == f"Q\n{words}"


def test_options_stand_before_the_instruction():
    assert prompt_for(choice("1", options="AB", text="Q")) == (
        "Question: Q\nOptions:\nA. aorta\nB. borta\n"
        "Answer with the option's letter from the given choices directly."
    )
