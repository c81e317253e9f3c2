"""Bytes alone tell that a text is too long, and a text cut early has the same first tokens."""

import json
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from packkit.base.errors import RejectReason, SampleError
from packkit.encoding import SampleEncoder, bounded
from packkit.encoding.bounded import TextBounds
from packkit.samples import Message, Sample

WORDS = [
    *("the", " ", "  ", "\n", "\n\n", ".", ",", "don't", "'s", "é", "e\u0301", "\u0301", "片子"),
    *("。", "12", "K", "\u212a", "a-b", "<", "!?", "\t", "\u1100\u1161\u11a8", "x" * 40, "\u200d"),
    "한",
]


def without_bounds(encoder, sample):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TextBounds, "cut", lambda self, pieces, limit: pieces)
        return outcome(encoder, sample)


def outcome(encoder, sample):
    try:
        encoded = encoder.encode(sample)
    except SampleError as error:
        return error.reason
    return encoded.input_ids.tolist(), encoded.labels.tolist(), encoded.image_slots.tolist()


@pytest.mark.parametrize("name", ["small_encoder", "encoder"])
@given(st.integers(0, 10**9), st.integers(1, 8), st.integers(1, 3), st.booleans())
@settings(deadline=None, max_examples=60)
def test_a_cut_sample_has_the_same_ids(request, name, seed, limit, turns, has_image):
    encoder = request.getfixturevalue(name)
    draw = random.Random(seed)
    bound = limit * encoder._bounds.token_bytes
    texts = []
    for _ in range(2 * turns):
        size = draw.choice([3, bound // 2, 2 * bound])
        # A text that ends no word where it could be cut is rejected, however long its cut.
        texts.append("".join(draw.choices(WORDS, k=size // 2 + 1)) + " word and")
    first = (None, texts[0]) if has_image else (texts[0],)
    roles = ("user", "assistant") * turns
    messages = [Message(role, (text,)) for role, text in zip(roles, texts, strict=True)]
    messages[0] = Message("user", first)
    image = (b"",) * has_image
    for sample in (
        Sample(messages=tuple(messages), images=image, token_limit=limit),
        Sample(content=first, images=image, token_limit=limit),
    ):
        assert outcome(encoder, sample) == without_bounds(encoder, sample)


@given(st.lists(st.sampled_from(WORDS), min_size=1).map("".join))
@settings(deadline=None)
def test_no_token_stands_for_more_bytes(encoder, small_encoder, text):
    for some in (encoder, small_encoder):
        tokens = len(some._tokenizer.encode_batch([text])[0].ids)
        assert tokens * some._bounds.token_bytes >= len(text.encode())


def test_a_text_far_too_long_is_not_tokenized(small_encoder, monkeypatch):
    text = "word and " * 100_000
    sizes = []
    tokenize = small_encoder._tokenizer.encode_batch

    def counted(texts):
        sizes.append(sum(map(len, texts)))
        return tokenize(texts)

    monkeypatch.setattr(small_encoder._tokenizer, "encode_batch", counted)
    samples = [Sample(content=(text,)), Sample(content=("word",))]
    overlong, encoded = small_encoder.encode_batch(samples, max_len=100)
    assert overlong.reason is RejectReason.OVERLONG
    assert overlong.detail.startswith("900000 bytes of text, at least ")
    assert encoded.length > 0
    (cut,) = small_encoder.encode_batch([Sample(content=(text,), token_limit=100)], max_len=100)
    assert cut.length == 100
    assert max(sizes) < 101 * small_encoder._bounds.token_bytes
    np.testing.assert_array_equal(cut.input_ids, tokenize([text[:5000]])[0].ids[:100], strict=False)


def test_a_text_without_words_is_too_long(small_encoder):
    sample = Sample(content=("x" * 100_000,), token_limit=10)
    with pytest.raises(SampleError, match="cannot be cut at the end of a word"):
        small_encoder.encode(sample)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("normalizer", {"type": "Lowercase"}),
        ("pre_tokenizer", {"type": "Whitespace"}),
        ("pre_tokenizer", None),
    ],
)
def test_other_tokenizers_have_no_bound(small_tokenizer, part, value):
    small_tokenizer[part] = value
    assert TextBounds.of_tokenizer(json.dumps(small_tokenizer).encode()) == (None, False)


def test_a_tokenizer_that_does_not_know_every_byte_has_no_bound(small_tokenizer):
    del small_tokenizer["model"]["vocab"]["!"]
    assert TextBounds.of_tokenizer(json.dumps(small_tokenizer).encode()).token_bytes is None


def test_text_that_is_not_split_at_words_is_not_cut(small_tokenizer):
    small_tokenizer["pre_tokenizer"]["use_regex"] = False
    encoder = SampleEncoder(Tokenizer.from_str(json.dumps(small_tokenizer)))
    assert not encoder._bounds.splits_words
    text = "word and " * (3 * encoder._bounds.token_bytes // 9)
    sample = Sample(content=(text,), token_limit=1)
    assert outcome(encoder, sample) == without_bounds(encoder, sample)


def test_a_processor_of_words_is_found_in_a_sequence(encoder):
    assert encoder._bounds == bounded.TextBounds(512, splits_words=True)
