"""Samples and packs: their rules, and what they say of themselves."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_strategies import samples, with_bytes

from packkit.base.errors import RejectReason, SampleError
from packkit.samples import Pack, Sample


def reason_of(call, *args, **options):
    with pytest.raises(SampleError) as caught:
        call(*args, **options)
    return caught.value.reason


@given(samples())
def test_parts_texts_and_images_agree(sample):
    assert sample.image_count == len(sample.images) == sample.parts.count(None)
    assert sample.texts == tuple(part for part in sample.parts if part is not None)
    assert len(sample.texts) + sample.image_count == len(sample.parts)


@given(samples())
def test_trained_text_is_what_the_loss_covers(sample):
    if sample.messages is None:
        trained = sample.texts
    else:
        trained = [
            part
            for turn in sample.messages
            if (turn.role == "assistant" if turn.train is None else turn.train)
            for part in turn.content
            if part is not None
        ]
    assert sample.has_trained_text == any(text.strip() for text in trained)


@pytest.mark.parametrize("record", [{"messages": []}, {"content": []}])
def test_nothing_at_all_is_empty_text(record):
    assert reason_of(Sample.from_dict, record) is RejectReason.EMPTY_TEXT


@pytest.mark.parametrize(("parts", "images"), [(1, 0), (0, 1), (2, 1), (1, 2), (0, 3), (3, 0)])
def test_image_parts_and_images_must_agree(parts, images):
    content = (None,) * parts + ("x",)
    with pytest.raises(SampleError, match=f"{parts} image parts but {images} images") as caught:
        Sample(content=content, images=(b"",) * images)
    assert caught.value.reason is RejectReason.IMAGE_COUNT


def test_a_broken_image_fails_when_it_is_read_and_not_before():
    sample = Sample.from_dict({"content": [{"type": "image"}], "images": ["*"]})
    for call in (lambda: sample.image_bytes(0), sample.to_dict):
        assert reason_of(call) is RejectReason.INVALID_BASE64


@given(st.lists(st.tuples(samples(), st.integers(1, 4096)), max_size=3))
def test_pack(pairs):
    pack = Pack(tuple(sample for sample, _ in pairs), tuple(length for _, length in pairs))
    assert pack.tokens == sum(pack.lengths)
    record = json.loads(json.dumps(pack.to_dict()))
    assert record.keys() == {"data", "lengths"}
    assert record["lengths"] == list(pack.lengths)
    assert tuple(with_bytes(Sample.from_dict(item)) for item in record["data"]) == pack.data


def test_a_pack_has_one_length_a_sample():
    with pytest.raises(ValueError, match="1 samples but 2 lengths"):
        Pack((Sample(content=("x",)),), (1, 2))
