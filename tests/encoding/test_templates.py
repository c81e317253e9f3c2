"""Rendering against Qwen3's own chat template, as text: here any content at all must agree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError
from packkit.encoding.templates import IMAGE, TEMPLATES
from packkit.samples import Message, Sample

QWEN3, CHATML = TEMPLATES["qwen3"], TEMPLATES["chatml"]

FRAGMENTS = (
    *("<think>", "</think>", "<tool_response>", "</tool_response>", "<|im_end|>", "<|im_start|>"),
    *("\n", "\n\n", " ", "a", "Axial.", "肺部", "{{ role }}"),
)
contents = st.lists(st.sampled_from(FRAGMENTS), max_size=8).map("".join) | st.text(max_size=20)
conversations = st.lists(
    st.builds(Message, st.sampled_from(["system", "user", "assistant"]), st.tuples(contents)),
    min_size=1,
    max_size=7,
).map(tuple)


@pytest.fixture(scope="module")
def written_by_qwen3(qwen3_in_transformers):
    def write(messages):
        plain = [{"role": message.role, "content": message.content[0]} for message in messages]
        return qwen3_in_transformers.apply_chat_template(plain, tokenize=False)

    return write


def render(messages, template=QWEN3):
    return template.render(Sample(messages=messages, images=(b"",) * images_in(messages)))


def images_in(messages):
    return sum(message.content.count(None) for message in messages)


def text_of(pieces):
    return "".join(piece.text for piece in pieces)


def control_of(pieces):
    return [piece.text for piece in pieces if piece.is_control]


@given(messages=conversations)
def test_qwen3_writes_what_its_own_template_writes(messages, written_by_qwen3):
    assert text_of(render(messages)) == written_by_qwen3(messages)


@given(messages=conversations)
def test_chatml_writes_content_as_it_stands(messages):
    expected = "".join(
        f"<|im_start|>{message.role}\n{message.content[0]}<|im_end|>\n" for message in messages
    )
    assert text_of(render(messages, CHATML)) == expected


@given(messages=conversations, template=st.sampled_from([QWEN3, CHATML]))
def test_control_pieces_hold_nothing_that_users_wrote_but_think_tags(messages, template):
    for piece in render(messages, template):
        if piece.is_control and piece.text not in ("<think>", "</think>"):
            words = piece.text
            for token in ("<|im_start|>", "<|im_end|>", "<think>\n\n</think>"):
                words = words.replace(token, "")
            assert words.split() in ([], ["system"], ["user"], ["assistant"])


@pytest.mark.parametrize("role", ["system", "user"])
def test_think_tags_are_text_outside_assistant_turns(role):
    pieces = render((Message(role, ("<think>a</think>",)), Message("assistant", ("b",))))
    assert pieces[1] == ("<think>a</think>", False, False)


def test_think_tags_stay_text_where_the_tokenizer_has_none():
    sample = Sample(messages=(Message("assistant", ("<think>a</think>b",)),))
    pieces = CHATML.render(sample, has_think_tags=False)
    assert pieces[1] == ("<think>a</think>b", True, False)


def test_reasoning_of_earlier_turns_is_left_out():
    messages = (
        Message("user", ("Is it normal?",)),
        Message("assistant", ("<think>\nNo mass.\n</think>\n\nYes.",)),
        Message("user", ("Sure?",)),
        Message("assistant", ("<think>\nAgain.\n</think>\n\nSure.",)),
    )
    text = text_of(render(messages))
    assert "No mass" not in text
    assert text.endswith("<think>\nAgain.\n</think>\n\nSure.<|im_end|>\n")


@pytest.mark.parametrize("end", ["</tool_response>", "</tool_response> and?"])
def test_tool_response_is_no_question(end, written_by_qwen3):
    messages = (
        Message("user", ("Is it normal?",)),
        Message("assistant", ("<think>\nAsk the tool.\n</think>\n\nWait.",)),
        Message("user", ("<tool_response>No mass." + end,)),
        Message("assistant", ("Yes.",)),
    )
    text = text_of(render(messages))
    assert text == written_by_qwen3(messages)
    assert ("Ask the tool" in text) == (end == "</tool_response>")


def test_empty_think_block_is_part_of_the_header():
    pieces = render((Message("user", ("Hi",)), Message("assistant", ("Hello",))))
    assert [piece.text for piece in pieces if piece.is_trained] == ["Hello", "<|im_end|>"]
    assert "<think>\n\n</think>\n\n" in text_of(pieces)


@pytest.mark.parametrize("content", ["<think>\n\n</think>\n\nHello", "<think></think>Hello"])
def test_think_block_left_empty_by_the_user_is_not_trained_either(content):
    pieces = render((Message("user", ("Hi",)), Message("assistant", (content,))))
    assert [piece.text for piece in pieces if piece.is_trained] == ["Hello", "<|im_end|>"]


def test_reasoning_is_trained_with_its_tags():
    messages = (Message("user", ("Hi",)), Message("assistant", ("<think>a</think>b",)))
    trained = [piece.text for piece in render(messages) if piece.is_trained]
    assert trained == ["<think>", "\na\n", "</think>", "\n\nb", "<|im_end|>"]


@given(
    parts=st.lists(st.none() | st.sampled_from(["a", "\n", "</think>", " "]), max_size=6),
    role=st.sampled_from(["user", "assistant"]),
)
def test_an_image_is_one_opaque_character_of_its_turn(parts, role, written_by_qwen3):
    """An image does what any character that is no newline does, such as this one."""
    stand_in = "\N{FRAME WITH PICTURE}"
    messages = (Message("user", ("Look",)), Message(role, tuple(parts)))
    shown = "".join(stand_in if part is None else part for part in parts)
    expected = written_by_qwen3((messages[0], Message(role, (shown,))))
    try:
        rendered = render(messages)
    except SampleError:
        assert expected.count(stand_in) < len([part for part in parts if part is None])
    else:
        assert text_of(rendered).replace(IMAGE, stand_in) == expected
        assert control_of(rendered).count(IMAGE) == images_in(messages)


def test_image_in_reasoning_that_is_left_out_is_rejected():
    messages = (
        Message("user", ("a",)),
        Message("assistant", ("<think>", None, "</think>b")),
        Message("user", ("c",)),
    )
    with pytest.raises(SampleError, match="message 1: an image stands in reasoning") as error:
        render(messages)
    assert error.value.reason is RejectReason.INVALID_SAMPLE


def test_neighbouring_text_parts_are_one_piece():
    document = Sample(content=("ab", "cd", None, None, "", "e"), images=(b"", b""))
    assert [piece.text for piece in QWEN3.render(document)] == [
        *("abcd", IMAGE, IMAGE, "e", "<|endoftext|>"),
    ]


@pytest.mark.parametrize("surrogate", [IMAGE, "\udcff"])
@pytest.mark.parametrize("role", ["document", "user", "assistant"])
def test_text_that_is_not_valid_utf8_is_rejected(surrogate, role):
    parts = ("a" + surrogate,)
    sample = (
        Sample(content=parts)
        if role == "document"
        else Sample(messages=(Message(role, parts), Message("assistant", ("b",))))
    )
    with pytest.raises(SampleError, match="character 1 of a text is the lone surrogate") as error:
        QWEN3.render(sample)
    assert error.value.reason is RejectReason.INVALID_UTF8
