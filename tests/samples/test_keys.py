"""The key of a sample: the same wherever it stands, another for any other sample."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError
from packkit.images import FileImage
from packkit.samples import Message, Origin, Sample
from packkit.samples.keys import ImageStamp, sample_key

IMAGE = b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0/\x3f\xc0\x0b\0pixels"
"""A WebP of 64 x 48 pixels by its header."""
CAPTION = Sample(id="1", content=(None, "Axial CT."), images=(IMAGE,))


@pytest.mark.parametrize(
    "change",
    [{"meta": {"modality": "CT"}}, {"token_limit": 3}, {"origin": Origin("a.jsonl", 7)}],
)
def test_key_ignores_place_meta_and_limit(change):
    assert sample_key(dataclasses.replace(CAPTION, **change)) == sample_key(CAPTION)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "2"},
        {"id": None},
        {"content": ("Axial CT.", None)},
        {"content": (None, "Axial MRI.")},
        {"content": None, "messages": (Message("user", (None, "Axial CT.")),)},
        {"images": (IMAGE + b"x",)},
    ],
)
def test_key_depends_on_id_text_and_image(change):
    assert sample_key(dataclasses.replace(CAPTION, **change)) != sample_key(CAPTION)


def test_key_depends_on_role_and_training_of_a_turn():
    turns = [
        Message("user", ("a",)),
        Message("assistant", ("a",)),
        Message("user", ("a",), train=True),
    ]
    assert len({sample_key(Sample(messages=(turn,))) for turn in turns}) == len(turns)


def test_key_ignores_pixels_and_place_of_an_image(tmp_path):
    path = tmp_path / "a.webp"
    path.write_bytes(IMAGE)
    elsewhere = dataclasses.replace(CAPTION, images=(FileImage(str(path)),))
    assert sample_key(elsewhere) == sample_key(CAPTION)
    path.write_bytes(IMAGE.replace(b"pixels", b"others"))
    assert sample_key(elsewhere) == sample_key(CAPTION)


@given(st.tuples(st.integers(0, 2**40), st.integers(1, 9), st.integers(1, 9)))
def test_stamps_that_are_given_are_taken_and_no_image_is_read(stamp):
    unread = dataclasses.replace(CAPTION, images=(FileImage("/nowhere"),))
    key = sample_key(unread, [ImageStamp(*stamp)])
    assert (key == sample_key(CAPTION)) == (stamp == (len(IMAGE), 64, 48))


def test_an_image_that_cannot_be_read():
    with pytest.raises(SampleError) as caught:
        sample_key(dataclasses.replace(CAPTION, images=(b"nothing",)))
    assert caught.value.reason is RejectReason.INVALID_IMAGE
