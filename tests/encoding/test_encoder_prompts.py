"""The prompt of a sample: its ids up to what a model is to write."""

import numpy as np
import pytest
from encoding_samples import arrays_of, chat, document, images_in, limited, turn
from hypothesis import assume, given
from hypothesis import strategies as st

from packkit.base.errors import SampleError
from packkit.samples import Message, Sample


class TestPrompts:
    answers = st.text(max_size=20) | st.sampled_from(["", "\n\nAxial.", " a", "<think></think>b"])
    bodies = st.lists(st.none() | st.text(max_size=20) | st.just("<think>a</think>"), max_size=4)
    turns = st.lists(
        st.builds(
            Message,
            st.sampled_from(["system", "user", "assistant"]),
            bodies.map(tuple),
            st.none() | st.booleans(),
        ),
        min_size=1,
        max_size=5,
    ).map(tuple)

    @staticmethod
    def check(encoder, unfinished, whole):
        """The prompt is how the whole sample begins; returns ids and labels of what is left."""
        try:
            prompt = encoder.encode_prompt(unfinished)
        except SampleError:
            # An image in reasoning that the template leaves out.
            assume(False)
        encoded = encoder.encode(whole)
        assert prompt.input_ids.dtype == prompt.image_slots.dtype == np.int32
        assert (prompt.labels == -100).all()
        assert len(prompt.labels) == prompt.length
        assert prompt.input_ids.tolist() == encoded.input_ids[: prompt.length].tolist()
        assert prompt.image_slots.tolist() == encoded.image_slots.tolist()
        return encoded.input_ids[prompt.length :].tolist(), encoded.labels[prompt.length :]

    @given(messages=turns, answer=answers, is_qwen3=st.booleans())
    def test_of_a_chat_are_its_ids_up_to_the_answer(self, messages, answer, is_qwen3, few, chatml):
        encoder = few if is_qwen3 else chatml
        assume(not is_qwen3 or "</think>" not in answer or answer.startswith("<think></think>"))
        images = (b"",) * images_in(messages)
        unfinished = Sample(messages=messages, images=images)
        whole = Sample(messages=(*messages, turn("assistant", answer)), images=images)
        rest, labels = self.check(encoder, unfinished, whole)
        # All that is left is trained, up to the newline after the turn.
        assert labels[:-1].tolist() == rest[:-1]
        assert labels[-1] == -100
        assert rest[-2] == encoder.end_ids[0]
        assert rest.count(encoder.end_ids[0]) == 1

    @given(
        parts=st.lists(st.none() | st.text(max_size=20), max_size=4),
        text=st.text(max_size=20),
        is_qwen3=st.booleans(),
    )
    def test_of_a_document_that_ends_with_an_image_are_its_ids_up_to_the_text(
        self, parts, text, is_qwen3, few, chatml
    ):
        encoder = few if is_qwen3 else chatml
        shown = (*parts, None)
        rest, labels = self.check(encoder, document(*shown), document(*shown, text))
        assert labels.tolist() == rest
        assert rest[-1] == encoder.end_ids[1]

    @given(parts=st.lists(st.none() | st.text(max_size=20), min_size=1, max_size=5))
    def test_of_a_document_lack_its_end_alone(self, parts, few):
        whole = document(*parts)
        # The first token of a sample is not trained, so one that is its end alone is no sample.
        assume(any(parts) or None in parts)
        rest, _ = self.check(few, whole, whole)
        assert rest == [few.end_ids[1]]

    def test_a_limit_does_not_cut_them(self, few):
        sample = chat(("a b c", None))
        cut, whole = few.encode_prompt(limited(sample, 2)), few.encode_prompt(sample)
        assert arrays_of(cut) == arrays_of(whole)

    def test_text_that_is_not_valid_utf8_is_refused(self, few):
        with pytest.raises(SampleError, match="lone surrogate"):
            few.encode_prompt(chat("\udcff"))

    @pytest.mark.parametrize("template", ["qwen3", "chatml"])
    def test_end_with_the_header_of_the_answer(self, template, few, chatml, qwen3_in_transformers):
        encoder = {"qwen3": few, "chatml": chatml}[template]
        ids = encoder.encode_prompt(chat("Hi")).input_ids.tolist()
        blank = "<think>\n\n</think>\n\n" if template == "qwen3" else ""
        text = f"<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n{blank}"
        assert ids == qwen3_in_transformers.encode(text)
