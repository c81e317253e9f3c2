"""A prompt and its completion, as texts or as turns: the same words, images and masks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError
from packkit.samples import Message
from packkit.sources.layouts.prompts import PromptLayout

LAYOUT = PromptLayout({})
texts = st.text(st.characters(codec="utf-8", exclude_characters="<["), min_size=1).filter(str.strip)


def reason_of(fields, root):
    with pytest.raises(SampleError) as caught:
        LAYOUT.to_sample(fields, root)
    return caught.value.reason


NAMES = [("prompt", "completion"), ("query", "response"), ("instruction", "output")]


@given(st.sampled_from(NAMES), texts, texts, st.integers(0, 2), st.none() | texts)
def test_texts_become_a_turn_each(root, names, asked, answered, images, system):
    fields = {**dict(zip(names, (asked, answered), strict=True)), "images": ["a.jpg"] * images}
    if system is not None:
        fields["system"] = system
    sample = LAYOUT.to_sample(fields, root)
    expected = [Message("user", (None,) * images + (asked,)), Message("assistant", (answered,))]
    if system is not None:
        expected.insert(0, Message("system", (system,)))
    assert list(sample.messages) == expected
    assert len(sample.images) == images and sample.meta == {}


def test_markers_place_images(root):
    fields = {"query": "What is <image>\nhere?", "response": "A heart.", "images": ["a.jpg"]}
    sample = LAYOUT.to_sample(fields, root)
    assert sample.messages[0].content == ("What is ", None, "here?")


def test_turns_of_a_prompt_are_not_trained_and_those_of_a_completion_are(root):
    def turn(role, content):
        return {"role": role, "content": content}

    prompt = [turn("user", "a"), turn("assistant", "b"), turn("user", "c")]
    fields = {"prompt": prompt, "completion": [turn("assistant", "d")]}
    sample = LAYOUT.to_sample(fields, root)
    assert [message.is_trained for message in sample.messages] == [False, False, False, True]
    prompt[1]["train"] = True
    assert LAYOUT.to_sample(fields, root).messages[1].is_trained


def test_history_comes_before_and_an_input_after_its_instruction(root):
    fields = {"query": "And?", "response": "B.", "history": [["What?", "A."]]}
    assert LAYOUT.to_sample(fields, root).texts == ("What?", "A.", "And?", "B.")
    fields = {"instruction": "Sum up.", "input": "A heart.", "output": "Heart."}
    assert LAYOUT.to_sample(fields, root).texts == ("Sum up.\nA heart.", "Heart.")
    assert LAYOUT.to_sample({**fields, "input": ""}, root).texts == ("Sum up.", "Heart.")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"prompt": "a"}, RejectReason.INVALID_SAMPLE),
        ({"prompt": "a", "completion": None}, RejectReason.INVALID_SAMPLE),
        ({"prompt": "a", "completion": " "}, RejectReason.EMPTY_TEXT),
        ({"prompt": 5, "completion": "b"}, RejectReason.INVALID_SAMPLE),
        ({"query": "a", "response": "b", "history": [["x"]]}, RejectReason.INVALID_SAMPLE),
        ({"query": "a", "response": "b", "history": "x"}, RejectReason.INVALID_SAMPLE),
        ({"query": "<image>", "response": "b"}, RejectReason.IMAGE_COUNT),
        ({"instruction": "a", "input": 5, "output": "b"}, RejectReason.INVALID_SAMPLE),
    ],
)
def test_what_is_no_prompt_with_its_completion_rejects(root, fields, reason):
    assert reason_of(fields, root) is reason


def test_columns_name_other_fields(root):
    layout = PromptLayout({"prompt": "ask", "completion": "say"})
    assert layout.matches({"ask": "a", "say": "b"})
    assert not layout.matches({"prompt": "a", "completion": "b"})
    assert layout.to_sample({"ask": "a", "say": "b"}, root).texts == ("a", "b")


@given(st.data())
def test_only_sample_errors_escape(records_of, root, data):
    values = st.sampled_from(["x", 5, ["x"], [["a", "b"]], [{"role": "user", "content": "x"}]])
    names = ("prompt", "completion", "query", "response", "history", "input", "images", "system")
    fields = data.draw(records_of(*names, values=values))
    LAYOUT.matches(fields)
    try:
        sample = LAYOUT.to_sample(fields, root)
    except SampleError:
        return
    assert sample.image_count == len(sample.images)
