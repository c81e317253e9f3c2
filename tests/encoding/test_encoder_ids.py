"""The ids of conversations are those of the chat template, and text in them stays text."""

import json
import re

import numpy as np
import pytest
from encoding_samples import chat, document, turn
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from packkit.encoding import SampleEncoder
from packkit.samples import Sample

MERGES_WITH_HEADER = re.compile(r"\s*[\r\n]")
"""Bodies that a tokenizer joins with the newline of their header, see `packkit.encoding`."""
SPELLS_A_TOKEN = re.compile(r"<\||</?(think|tool)")


class TestSameIdsAsTheChatTemplate:
    @pytest.mark.parametrize(
        "messages",
        [
            [turn("user", "Which plane is this?"), turn("assistant", "Axial.")],
            [
                turn("system", "You are a radiologist."),
                turn("user", "这张CT图像显示了什么？"),
                turn("assistant", "右肺上叶可见一个约3厘米的结节。"),
                turn("user", "需要进一步检查吗？\n请说明理由。"),
                turn("assistant", "是的，建议行增强CT检查。\n\n1. 明确性质\n2. 评估淋巴结"),
            ],
            [
                turn("user", "Why?"),
                turn("assistant", "<think>\nBright on T2.\n</think>\n\nIt is fluid."),
                turn("user", "Sure?"),
                turn("assistant", "<think>\nAgain: bright.\n\nYes.\n</think>\n\nYes, I am."),
            ],
            [turn("user", "Hi"), turn("assistant", "One."), turn("assistant", "Two.")],
            [
                turn("user", "Hi"),
                turn("assistant", "<think>\nFirst.\n</think>\n\nOne."),
                turn("assistant", "Two."),
            ],
            [turn("assistant", "I speak first."), turn("user", "Go on."), turn("assistant", "")],
            [turn("user", "a"), turn("system", "Be brief."), turn("assistant", "b")],
            [turn("assistant", "Nobody asked.")],
            [turn("user", "  two spaces"), turn("assistant", "\tone tab\u3000")],
            [turn("user", "a"), turn("assistant", "\n\nnewlines of the last turn are stripped")],
        ],
    )
    def test_of_a_conversation(self, messages, encoder, ids_in_transformers):
        encoded = encoder.encode(Sample(messages=tuple(messages)))
        assert encoded.input_ids.tolist() == ids_in_transformers(messages)

    texts = st.text(max_size=30) | st.text(alphabet="ab .,'\n\r\t\u3000\u0301肺部1é", max_size=30)
    texts = texts.filter(lambda text: not SPELLS_A_TOKEN.search(text))
    bodies = texts.filter(lambda text: not MERGES_WITH_HEADER.match(text))
    reasoned = st.builds("<think>\n{}\n</think>\n\n{}".format, texts, bodies)
    messages = st.lists(
        st.one_of(
            st.builds(turn, st.sampled_from(["system", "user"]), bodies),
            st.builds(turn, st.just("assistant"), bodies | reasoned),
        ),
        max_size=6,
    )

    @given(messages=messages, last=bodies | reasoned)
    def test_of_any_plain_conversation(self, messages, last, encoder, ids_in_transformers):
        messages = (*messages, turn("assistant", last))
        encoded = encoder.encode(Sample(messages=messages))
        assert encoded.input_ids.tolist() == ids_in_transformers(messages)

    @pytest.mark.parametrize("body", ["\nHello", "\n\nHello", " \nHello", "\n\r\nHello", "\n"])
    def test_but_for_a_body_that_starts_with_a_line_break(
        self, body, encoder, ids_in_transformers, decode
    ):
        """The joint string merges the header's newline with it; at inference nothing does."""
        messages = (turn("user", body), turn("assistant", "Hi"))
        ids = encoder.encode(Sample(messages=messages)).input_ids
        joint = ids_in_transformers(messages)
        assert ids.tolist() != joint
        assert decode(ids) == decode(np.array(joint))
        header = encoder.encode(chat("a", "b")).input_ids[:3]
        assert decode(header) == "<|im_start|>user\n"
        assert ids[:3].tolist() == header.tolist()

    def test_of_plain_chatml_too(self, qwen3_folder, qwen3_in_transformers):
        chatml = SampleEncoder(qwen3_folder, template="chatml")
        text = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n"
        ids = chatml.encode(chat("Hi", "Hello")).input_ids
        assert ids.tolist() == qwen3_in_transformers.encode(text)


class TestTextIsText:
    @staticmethod
    def samples_with(text):
        return (
            document(None, text),
            chat((text, None), "Axial."),
            chat("Which plane?", f"{text}Axial."),
            Sample(messages=(turn("system", text), turn("user", "a"), turn("assistant", "b"))),
        )

    def check(self, text, encoder, control_ids_in, decode):
        for hostile, plain in zip(self.samples_with(text), self.samples_with("x"), strict=True):
            encoded = encoder.encode(hostile)
            assert control_ids_in(encoded) == control_ids_in(encoder.encode(plain))
            assert np.count_nonzero(encoded.input_ids == 151655) == 144 * len(hostile.images)
            assert text in decode(encoded.input_ids)

    def test_whatever_token_it_spells(self, encoder, control_tokens, control_ids_in, decode):
        for token in {*control_tokens, "<image>", "<|vision_start|>"} - {"<think>", "</think>"}:
            self.check(token, encoder, control_ids_in, decode)

    fragments = st.sampled_from(
        ["<|im_end|>", "<|image_pad|>", "<tool_call>", "<image>", "<|", "im_end", "|>", "<", " "]
    )

    @given(text=st.lists(fragments, min_size=1, max_size=6).map("".join))
    def test_whatever_it_is_made_of(self, text, encoder, control_ids_in, decode):
        self.check(text, encoder, control_ids_in, decode)

    @pytest.mark.parametrize("tag", ["<think>", "</think>", "<think>a</think>"])
    def test_think_tags_too_but_in_assistant_turns(self, tag, encoder, control_ids_in):
        for make in (document, lambda text: chat(text, "b"), lambda text: chat((text, None), "b")):
            encoded, plain = encoder.encode(make("a" + tag)), encoder.encode(make("a"))
            assert control_ids_in(encoded) == control_ids_in(plain)

    @pytest.mark.parametrize("template", ["qwen3", "chatml"])
    def test_think_tags_are_tokens_in_assistant_turns(self, template, qwen3_folder, control_tokens):
        encoder = SampleEncoder(qwen3_folder, template=template)
        ids = encoder.encode(chat("a", "<think>b</think>c")).input_ids.tolist()
        assert [ids.count(control_tokens[tag]) for tag in ("<think>", "</think>")] == [1, 1]

    def test_think_tags_stay_text_where_the_tokenizer_has_none(self, small_tokenizer):
        small_tokenizer["added_tokens"] = small_tokenizer["added_tokens"][:4]
        tokenizer = Tokenizer.from_str(json.dumps(small_tokenizer))
        encoder = SampleEncoder(tokenizer, template="chatml")
        ids = encoder.encode(chat("a", "<think>b</think>")).input_ids.tolist()
        spelled = tokenizer.encode("<think>b</think>").ids
        assert ids[-len(spelled) - 2 : -2] == spelled
