"""The prompt for a question: one wording for each kind of question and each language.

The instructions are MedEvalKit's (question_formats.py, without its REASONING mode), so that numbers
can be compared. Choices are put as they are in training.
"""

from __future__ import annotations

from packkit.infimed.data.multiple_choice import multiple_choice_prompt
from packkit.infimed.evaluation.questions import Language, Question, QuestionKind

PROMPT_VERSION = "1"
"""Version of the wording; no folder of results mixes two versions."""

_INSTRUCTIONS: dict[tuple[QuestionKind, Language], str] = {
    ("yes_no", "en"): "Please output 'yes' or 'no'(no extra output).",
    ("yes_no", "zh"): "请输出'是'或'否'(不要有任何其它输出)。",
    ("closed", "en"): "Answer the question using a single word or phrase.",
    ("closed", "zh"): "请用一个单词或者短语回答该问题。",
    ("open", "en"): "Please answer the question concisely.",
    ("open", "zh"): "请简要回答该问题。",
}


def prompt_for(question: Question) -> str:
    r"""Returns the prompt for a question, which follows its images.

    >>> fields = dict(benchmark="slake", key="0", text="这是什么器官？", gold="肺")
    >>> print(prompt_for(Question(kind="closed", language="zh", **fields)))
    这是什么器官？
    请用一个单词或者短语回答该问题。
    """
    if question.kind == "choice":
        return multiple_choice_prompt(question.text, question.options)
    return f"{question.text}\n{_INSTRUCTIONS[question.kind, question.language]}"
