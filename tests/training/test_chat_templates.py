"""The Jinja of a template writes what the template of the same name writes."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from packkit.base.errors import SampleError
from packkit.encoding.templates import IMAGE, TEMPLATES
from packkit.samples import Message, Sample
from packkit.training.chat_templates import chat_template

SLOT = "<|image_pad|>"
FRAGMENTS = (
    *("<think>", "</think>", "<tool_response>", "</tool_response>", "<|im_end|>", "{{ role }}"),
    *("\n", "\n\n", "\r\n", " ", "a", "Axial.", "肺部"),
)
texts = st.lists(st.sampled_from(FRAGMENTS), max_size=6).map("".join) | st.text(max_size=20)
reasoned = st.builds("<think>\n{}\n</think>\n\n{}".format, texts, texts)
bodies = texts | reasoned | st.builds("<tool_response>{}</tool_response>".format, texts)
pictured = st.lists(st.none() | bodies, max_size=4).map(tuple)
messages = st.one_of(
    st.builds(Message, st.sampled_from(["system", "assistant"]), st.tuples(bodies)),
    st.builds(Message, st.sampled_from(["user", "assistant"]), pictured),
)
conversations = st.lists(messages, min_size=1, max_size=6).map(tuple)
names = st.sampled_from(sorted(TEMPLATES))


@pytest.fixture(scope="module")
def in_transformers():
    """Writes a conversation with the Jinja of a template."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()))

    def write(name, messages, **options):
        chat = [message.to_dict() for message in messages]
        template = chat_template(name, SLOT)
        return tokenizer.apply_chat_template(
            chat, chat_template=template, tokenize=False, **options
        )

    return write


def rendered(name, messages, method="render"):
    """What the template writes, with the slot for an image; no example where it refuses."""
    images = sum(message.content.count(None) for message in messages)
    try:
        sample = Sample(messages=messages, images=(b"",) * images)
        pieces = getattr(TEMPLATES[name], method)(sample)
    except SampleError:
        assume(False)
    return "".join(piece.text for piece in pieces).replace(IMAGE, SLOT)


@settings(deadline=None, max_examples=300)
@given(name=names, messages=conversations)
def test_a_conversation_is_the_same_text(in_transformers, name, messages):
    assert in_transformers(name, messages) == rendered(name, messages)


@settings(deadline=None, max_examples=300)
@given(name=names, messages=conversations)
def test_a_prompt_is_the_same_text(in_transformers, name, messages):
    written = in_transformers(name, messages, add_generation_prompt=True)
    assert written == rendered(name, messages, "render_prompt")


QUESTION = Message("user", ("Is it normal?",))
ANSWER = Message("assistant", ("Yes.",))


@pytest.mark.parametrize(
    ("name", "messages", "end"),
    [
        ("chatml", (QUESTION,), "normal?<|im_end|>\n<|im_start|>assistant\n"),
        ("qwen3", (QUESTION,), "<|im_start|>assistant\n<think>\n\n</think>\n\n"),
        # Followed by another answer, the one before is not the last and gets no think block.
        (
            "qwen3",
            (QUESTION, ANSWER),
            "assistant\nYes.<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
        ),
        # Where nobody asked, the last turn is taken for the question, and gets none either.
        (
            "qwen3",
            (Message("system", ("Be brief.",)),),
            "Be brief.<|im_end|>\n<|im_start|>assistant\n",
        ),
    ],
)
def test_a_prompt_ends_with_the_header_of_the_answer(in_transformers, name, messages, end):
    assert rendered(name, messages, "render_prompt").endswith(end)
    assert in_transformers(name, messages, add_generation_prompt=True).endswith(end)


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_a_content_is_a_string_or_its_parts(in_transformers, name):
    parts = (Message("user", ("Is it ", "normal?")), ANSWER)
    assert in_transformers(name, parts) == in_transformers(name, (QUESTION, ANSWER))


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_an_image_is_one_slot_of_the_name_given(name):
    template = chat_template(name, "<picture>")
    assert "<picture>" in template
    assert SLOT not in template
