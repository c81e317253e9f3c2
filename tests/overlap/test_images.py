"""Every image of the demo is found again, whatever was done to it, and no other one is."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.Image import Resampling

from packkit.overlap import pictures as module
from packkit.overlap.pictures import Picture, PictureIndex, describe, is_near

CHANGES = {
    "png": ("PNG", {}),
    "jpeg 90": ("JPEG", {"quality": 90}),
    "jpeg 50": ("JPEG", {"quality": 50}),
    "webp 50": ("WEBP", {"quality": 50}),
    "half, lanczos": ("PNG", {"resampling": Resampling.LANCZOS}),
    "half, bilinear": ("PNG", {"resampling": Resampling.BILINEAR}),
    "half, jpeg 50": ("JPEG", {"resampling": Resampling.LANCZOS, "quality": 50}),
    "half, webp 50": ("WEBP", {"resampling": Resampling.LANCZOS, "quality": 50}),
}

# Few bits, so that hashes come near one another by chance.
HASH = st.integers(0, 2**8 - 1).map(lambda bits: bits * 0x0101010101010101 & 2**64 - 1)


@pytest.fixture(scope="module")
def index(pictures):
    return PictureIndex([describe(data) for data in pictures])


@pytest.mark.parametrize("change", CHANGES)
def test_every_demo_image_is_found_again_and_no_other(pictures, index, encode, change):
    kind, options = CHANGES[change]
    for number, data in enumerate(pictures):
        matches = index.matches(describe(encode(data, kind, **options)))
        assert [match.number for match in matches] == [number]


def test_no_two_demo_images_match(pictures, index):
    for number, data in enumerate(pictures):
        (match,) = index.matches(describe(data))
        assert match[:3] == (number, True, 0)


def test_flat_images_match_as_files_alone():
    def flat(level):
        buffer = io.BytesIO()
        Image.new("L", (8, 8), level).save(buffer, "PNG")
        return buffer.getvalue()

    index = PictureIndex([describe(flat(10)), describe(flat(200))])
    assert [match[:2] for match in index.matches(describe(flat(200)))] == [(1, True)]
    assert index.matches(describe(flat(90))) == []


def test_nothing_matches_in_an_empty_index(pictures):
    assert PictureIndex([]).matches(describe(pictures[0])) == []


@settings(deadline=None)
@given(
    hashes=st.lists(HASH, min_size=1, max_size=30),
    wanted=HASH,
    limit=st.integers(0, 64),
    block=st.integers(1, 40),
    random=st.randoms(use_true_random=False),
)
def test_matches_are_those_of_a_plain_loop(hashes, wanted, limit, block, random):
    def picture(phash, digest):
        grey = np.zeros(1024, np.float32)
        grey[random.randrange(3)] = 1
        return Picture(digest, phash, grey)

    known = [picture(phash, bytes([number % 4])) for number, phash in enumerate(hashes)]
    image = picture(wanted, bytes([0]))
    expected = []
    for number, other in enumerate(known):
        distance = (other.phash ^ image.phash).bit_count()
        is_exact = other.digest == image.digest
        if distance <= limit and (is_exact or is_near(distance, float(other.grey @ image.grey))):
            expected.append((number, is_exact, distance))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        matches = PictureIndex(known, limit).matches(image)
    assert [match[:3] for match in matches] == expected
