"""A refusal is one at the start of an assistant's turn; an answer that says "cannot" is none."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.mixture.refusals import NoOptions, NoRefusal
from packkit.samples import Message, Sample

FILTER = NoRefusal(NoOptions(), Path())

REFUSALS = [
    "I'm sorry, but I can't assist with that request.",
    "Sorry, I cannot help with this.",
    "I’m really sorry but I am unable to view images.",
    "I cannot provide a diagnosis from this picture.",
    "I can't see the attached image, could you describe it?",
    "I am not able to interpret medical images.",
    "I'm unable to determine that.",
    "Unfortunately, I cannot process this scan.",
    "As an AI language model, I do not have access to images.",
    "As a large language model I have no eyes.",
    "I apologize, but there is no image attached.",
    "My apologies, I won't be able to answer.",
    "  \"I'm sorry, I can't comply.",
    "**Sorry**, no.",
    "I will not provide that.",
    "Unable to answer the question.",
    "抱歉，我无法回答这个问题。",
    "很抱歉，图片没有显示。",
    "对不起，我不能提供医疗建议。",
    "我无法查看图像。",
    "作为一个AI，我没有视觉能力。",
    "作为人工智能语言模型，我不能诊断。",
]
ANSWERS = [
    "I cannot see any fracture in this radiograph.",
    "I can't see a pleural effusion; the lungs are clear.",
    "Sorry to hear that your knee hurts. The MRI shows a tear.",
    "The image cannot provide enough detail for staging.",
    "No.",
    "Yes, sorry for the delay in the report.",
    "As an adult patient, he should be treated with surgery.",
    "Axial CT of the chest. I am unable to help noticing the nodule.",
    "The patient is unable to help herself.",
    "Apology is not shown in the image.",
    "肺部正常，无法看到结节。",
    "不能排除骨折。",
    "无法明确诊断为肺炎的依据是没有实变。",
    "",
]


def dialogue(*turns):
    return Sample(messages=tuple(Message(role, (text,)) for role, text in turns))


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals_are_dropped(text):
    assert FILTER.drops(dialogue(("user", "What is it?"), ("assistant", text)), 0)


@pytest.mark.parametrize("text", ANSWERS)
def test_answers_are_kept(text):
    assert not FILTER.drops(dialogue(("user", "What is it?"), ("assistant", text)), 0)


@given(st.sampled_from(REFUSALS), st.sampled_from(ANSWERS[:4]))
def test_only_the_start_of_an_assistant_turn_counts(refusal, answer):
    assert not FILTER.drops(dialogue(("user", refusal), ("assistant", answer)), 0)
    assert not FILTER.drops(dialogue(("user", "?"), ("assistant", f"{answer} {refusal}")), 0)
    turns = (("user", "?"), ("assistant", answer), ("user", "And?"), ("assistant", refusal))
    assert FILTER.drops(dialogue(*turns), 0)


def test_documents_are_no_answers():
    assert not FILTER.drops(Sample(content=(REFUSALS[0],)), 0)
