"""What cannot be decoded is refused, and nothing is decoded that is too large."""

import struct
import zlib

import numpy as np
import pytest
import simplejpeg
from hypothesis import given
from hypothesis import strategies as st
from image_files import FORMATS, encoded, opened, png, png_chunk, reason_of, squashed
from PIL import Image, ImageFile

from packkit.base.errors import RejectReason, SampleError
from packkit.images.headers import read_header
from packkit.images.pixels import DECODERS, PixelDecoder, check_pixels


@pytest.mark.parametrize("kind", FORMATS)
def test_cut_off_files_are_refused(name, kind):
    data = encoded(kind, (200, 200))
    for size in (len(data) // 3, len(data) * 2 // 3, len(data) - 50):
        decode = PixelDecoder(name, 50).decode
        assert reason_of(lambda: decode(data[:size])) is RejectReason.INVALID_IMAGE  # noqa: B023


def test_out_is_left_as_it_was_where_decoding_fails(name):
    for data in (b"", encoded(size=(99, 99))[:-500], encoded("PNG", (99, 99))[:-500]):
        out = np.full((3, 8, 8), 173, np.uint8)
        assert reason_of(lambda: PixelDecoder(name, 8).decode_into(data, out))  # noqa: B023
        assert (out == 173).all()


@pytest.mark.parametrize("marker", [b"\xff\xdb", b"\xff\xda", b"\xff\xd1"])
def test_what_libjpeg_only_warns_of_is_decoded(name, marker):
    data = encoded(size=(64, 48), restart_marker_rows=1)
    start = data.index(marker)
    stray = data[:start] + b"\x12\x34\x56" * 40 + data[start:]
    with pytest.raises(ValueError, match="extraneous bytes"):
        simplejpeg.decode_jpeg(stray)
    with opened(data) as image:
        assert np.array_equal(PixelDecoder(name, 20).decode(stray), squashed(image, 20))


@pytest.fixture
def no_pixel_may_be_decoded(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", refuse)
    monkeypatch.setattr(Image.core, "new", refuse)
    monkeypatch.setattr(simplejpeg, "decode_jpeg", refuse)


def test_a_bomb_is_refused_before_it_is_decoded(name, no_pixel_may_be_decoded):
    bomb = png(np.zeros((1, 1, 1), int), 1, 0)
    lines = zlib.compress(bytes(1 + 9000 // 8) * 9000, 9)
    header = struct.pack(">IIBBBBB", 9000, 9000, 1, 0, 0, 0, 0)
    bomb = bomb[:8] + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", lines) + bomb[-12:]
    assert len(bomb) < 12_000
    decode = PixelDecoder(name, 8).decode
    assert reason_of(lambda: decode(bomb)) is RejectReason.IMAGE_TOO_LARGE
    with pytest.raises(AssertionError, match="decoded"):
        PixelDecoder(name, 8, max_pixels=9000 * 9000).decode(bomb)


def test_the_limit_is_exact(name):
    data = encoded("JPEG", (40, 30))
    assert PixelDecoder(name, 8, max_pixels=1200).decode(data).shape == (3, 8, 8)
    decode = PixelDecoder(name, 8, max_pixels=1199).decode
    assert reason_of(lambda: decode(data)) is RejectReason.IMAGE_TOO_LARGE


def test_a_second_png_header_does_not_lift_the_limit(name, no_pixel_may_be_decoded):
    larger = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0))
    data = png(np.zeros((4, 4, 1), int), 8, 0, larger)
    for call in (PixelDecoder(name, 8).decode, check_pixels):
        assert reason_of(lambda: call(data)) is RejectReason.INVALID_IMAGE  # noqa: B023


@pytest.mark.parametrize(
    "data",
    [
        # Where Pillow would fail an assertion, and where an error of no image's escapes it.
        png(np.zeros((4, 4, 1), int), 8, 3),
        png(np.zeros((4, 4, 1), int), 8, 0, after=png_chunk(b"iCCP", b"")),
    ],
    ids=["palette missing", "profile empty"],
)
def test_broken_png_that_pillow_trips_over(name, data):
    for call in (PixelDecoder(name, 8).decode, check_pixels):
        assert reason_of(lambda: call(data)) is RejectReason.INVALID_IMAGE  # noqa: B023


def test_decoding_warns_neither_of_size_nor_of_broken_exif(monkeypatch, name):
    block = b"Exif\0\0II*\0\x08\0\0\0\x05\0" + b"\xff" * 40
    broken = encoded(exif=block)
    with pytest.warns(UserWarning), opened(broken) as image:
        image.getexif()
    start = broken.index(b"\xff\xdb")
    twice = broken[:start] + b"\xff\xe1" + struct.pack(">H", 2 + len(block)) + block
    twice += broken[start:]
    calls = (PixelDecoder(name, 8).decode, check_pixels)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    for call in calls:
        for data in (broken, twice, encoded("PNG")):
            call(data)
        assert reason_of(lambda: call(encoded("WEBP"))) is RejectReason.IMAGE_TOO_LARGE  # noqa: B023


@given(
    st.sampled_from(DECODERS),
    st.sampled_from(FORMATS),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_only_sample_errors_escape(name, kind, flips):
    # Pillow takes the EXIF of a TIFF for its own entries, and warns while it writes them.
    more = {} if kind == "TIFF" else {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}
    data = bytearray(encoded(kind, **more))
    for position, value in flips:
        data[position % len(data)] = value
    decoder = PixelDecoder(name, 8, max_pixels=1_000_000)
    outcomes = []
    for call in (check_pixels, decoder.decode):
        try:
            read_header(bytes(data), max_pixels=decoder.max_pixels)
            call(bytes(data))
        except SampleError as error:
            assert error.reason in (RejectReason.INVALID_IMAGE, RejectReason.IMAGE_TOO_LARGE)
            outcomes.append(error.reason)
        else:
            outcomes.append(None)
    # What a run of packkit lets in with its images checked, the loader can decode.
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("kind", FORMATS)
def test_check_pixels_finds_what_the_header_hides(kind):
    data = encoded(kind, size=(200, 200))
    check_pixels(data)
    cut = data[: len(data) * 2 // 3]
    assert read_header(cut) == read_header(data)
    assert reason_of(lambda: check_pixels(cut)) is RejectReason.INVALID_IMAGE


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_is_refused(name, data):
    for call in (PixelDecoder(name, 8).decode, check_pixels):
        assert reason_of(lambda: call(data)) is RejectReason.INVALID_IMAGE  # noqa: B023
