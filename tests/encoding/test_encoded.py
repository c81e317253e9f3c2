"""Labels, image slots and cuts of encoded samples, alone and in a batch."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from encoding_samples import (
    IMAGE_TOKENS,
    arrays_of,
    chat,
    document,
    limited,
    trained,
)
from hypothesis import assume, given
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError
from packkit.encoding import EncodedSample, SampleEncoder
from packkit.samples import Message, Sample


class TestLabels:
    def test_of_a_conversation(self, encoder, decode):
        encoded = encoder.encode(chat(("Look: ", None, " Which?"), "Axial.", "Sure?", "Yes."))
        assert decode(trained(encoded)) == "Axial.<|im_end|>Yes.<|im_end|>"
        is_trained = encoded.labels != -100
        assert (encoded.labels == np.where(is_trained, encoded.input_ids, -100)).all()

    def test_of_reasoning(self, encoder, decode):
        text = "<think>\nBright.\n</think>\n\nFluid."
        assert decode(trained(encoder.encode(chat("Why?", text)))) == text + "<|im_end|>"

    def test_of_the_think_block_that_the_template_puts_in(self, encoder, decode):
        encoded = encoder.encode(chat("Why?", "Fluid."))
        assert "<think>\n\n</think>\n\n" in decode(encoded.input_ids)
        assert decode(trained(encoded)) == "Fluid.<|im_end|>"

    def test_train_of_a_message_wins_over_its_role(self, encoder, decode):
        messages = (
            Message("system", ("s",), train=True),
            Message("user", ("u",), train=True),
            Message("assistant", ("a",), train=False),
            Message("user", ("v",), train=False),
            Message("assistant", ("b",), train=True),
        )
        encoded = encoder.encode(Sample(messages=messages))
        assert decode(trained(encoded)) == "s<|im_end|>u<|im_end|>b<|im_end|>"

    def test_of_a_document_all_but_its_first_token_and_its_images(self, encoder, decode):
        encoded = encoder.encode(document("One two", None, " three."))
        first = decode(encoded.input_ids[:1])
        assert encoded.labels[0] == -100
        assert first + decode(trained(encoded)) == "One two three.<|endoftext|>"

    @pytest.mark.parametrize(
        "sample",
        [
            document(""),
            chat("Only a question"),
            Sample(messages=(Message("assistant", ("a",), train=False),)),
        ],
    )
    def test_sample_without_any_is_rejected(self, sample, encoder):
        with pytest.raises(SampleError, match="no token of it is trained") as error:
            encoder.encode(sample)
        assert error.value.reason is RejectReason.NO_TARGETS


class TestImages:
    def test_slots_hold_the_slot_token_and_nothing_else_does(self, encoder, control_tokens):
        encoded = encoder.encode(chat((None, "a", None, None), "<|image_pad|>"))
        assert encoded.image_slots.tolist() == [[3, 144], [148, 144], [292, 144]]
        in_slots = np.zeros(encoded.length, bool)
        for start, tokens in encoded.image_slots.tolist():
            in_slots[start : start + tokens] = True
        assert ((encoded.input_ids == control_tokens["<|image_pad|>"]) == in_slots).all()
        assert (encoded.labels[in_slots] == -100).all()

    def test_sample_without_images_has_no_slots(self, encoder):
        assert encoder.encode(chat("a", "b")).image_slots.shape == (0, 2)

    def test_policy_sees_the_size_of_each_image(self, qwen3_folder):
        class Area:
            spec = "area"

            def __call__(self, width, height):
                return width * height

        encoder = SampleEncoder(qwen3_folder, image_tokens=Area())
        encoded = encoder.encode(document(None, None, "a"), image_sizes=[(2, 3), (1, 4)])
        assert encoded.image_slots.tolist() == [[0, 6], [6, 4]]
        broken, whole = encoder.encode_batch(
            [document(None, "a"), document(None, "a")], image_sizes=[None, [(1, 1)]]
        )
        assert isinstance(broken, SampleError)
        assert whole.image_slots.tolist() == [[0, 1]]


parts = st.lists(st.none() | st.sampled_from(["a", "some words", "\n"]), min_size=1, max_size=6)
samples = st.builds(lambda parts: document(*parts), parts) | st.builds(
    lambda turns: chat(*map(tuple, turns)), st.lists(parts, min_size=1, max_size=4)
)


def try_encode(encoder, sample):
    try:
        return encoder.encode(sample)
    except SampleError as error:
        return error


class TestTruncation:
    @given(sample=samples, limit=st.integers(1, 80))
    def test_keeps_the_longest_prefix_that_splits_no_image(self, sample, limit, few):
        whole = try_encode(few, sample)
        assume(isinstance(whole, EncodedSample))
        cut = min(limit, whole.length)
        for start, tokens in whole.image_slots.tolist():
            if start < cut < start + tokens:
                cut = start
        kept = [slot for slot in whole.image_slots.tolist() if sum(slot) <= cut]
        encoded = try_encode(few, limited(sample, limit))
        if (whole.labels[:cut] == -100).all():
            assert isinstance(encoded, SampleError)
            assert encoded.reason is RejectReason.NO_TARGETS
        else:
            assert arrays_of(encoded) == [
                whole.input_ids[:cut].tolist(),
                whole.labels[:cut].tolist(),
                kept,
            ]

    def test_image_that_would_be_split_takes_along_what_follows(self, few):
        sample = document("a b c", None, " d e f")
        start = few.encode(sample).image_slots[0, 0]
        assert few.length(limited(sample, start + IMAGE_TOKENS - 1)) == start
        assert few.length(limited(sample, start + IMAGE_TOKENS)) == start + IMAGE_TOKENS

    def test_message_of_a_sample_cut_too_short_names_the_limit(self, few):
        with pytest.raises(SampleError, match="no token of it is trained within token_limit 4"):
            few.encode(limited(chat("a", "b"), 4))


class TestBatch:
    @given(batch=st.lists(st.builds(limited, samples, st.none() | st.integers(1, 60)), max_size=8))
    def test_is_one_sample_at_a_time(self, batch, few):
        encoded = few.encode_batch(batch)
        assert len(encoded) == len(batch)
        for sample, result in zip(batch, encoded, strict=True):
            alone = try_encode(few, sample)
            if isinstance(alone, SampleError):
                assert str(result) == str(alone)
            else:
                assert arrays_of(result) == arrays_of(alone)
                assert {array.dtype for array in (result.input_ids, result.labels)} == {
                    np.dtype(np.int32)
                }
                assert result.image_slots.dtype == np.int32
                assert few.length(sample) == result.length == len(result.labels)

    def test_bad_sample_does_not_disturb_its_neighbours(self, few):
        good = chat("a", "b")
        first, bad, last = few.encode_batch([good, chat("\udcff", "b"), good])
        assert isinstance(bad, SampleError)
        assert arrays_of(first) == arrays_of(last) == arrays_of(few.encode(good))

    def test_nothing_gives_nothing(self, few):
        assert few.encode_batch([]) == []

    def test_from_many_threads_at_once(self, qwen3_folder):
        batches = [[chat(f"{i} {j}", f"{i * j}") for j in range(50)] for i in range(16)]
        fresh = SampleEncoder(qwen3_folder, image_tokens=IMAGE_TOKENS)
        with ThreadPoolExecutor(8) as pool:
            threaded = list(pool.map(fresh.encode_batch, batches))
        for batch, results in zip(batches, threaded, strict=True):
            expected = map(arrays_of, fresh.encode_batch(batch))
            assert list(map(arrays_of, results)) == list(expected)
