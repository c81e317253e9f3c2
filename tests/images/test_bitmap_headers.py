"""Sizes of GIF, BMP and TIFF are those that Pillow gives, and nothing hides a larger image."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_files import encoded, opened, saved, scene
from PIL import Image

from packkit.base.errors import RejectReason, SampleError
from packkit.images import read_header
from packkit.images.pixels import PixelDecoder, check_pixels

sizes = st.tuples(st.integers(1, 300), st.integers(1, 300))


@given(st.sampled_from(["GIF", "BMP", "TIFF"]), sizes)
def test_sizes_are_those_of_pillow(kind, size):
    header = read_header(encoded(kind, size))
    assert (header.format, header.width, header.height, header.orientation) == (kind, *size, 1)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "LA", "I;16"])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_tiffs_of_every_mode_are_decoded(mode, compression):
    data = saved(scene((37, 23), mode), "TIFF", compression=compression)
    header = read_header(data)
    assert (header.width, header.height) == (37, 23)
    assert PixelDecoder("pillow", 8).decode(data).shape == (3, 8, 8)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_tiffs_of_32_bits_are_refused(mode):
    with pytest.raises(SampleError, match="a TIFF of 32 bits a level"):
        read_header(saved(scene((9, 9), "L").convert(mode), "TIFF"))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_tiffs_are_upright(orientation):
    image = scene((37, 23))
    data = saved(image, "TIFF", tiffinfo={274: orientation})
    header = read_header(data)
    turned = opened(data)
    turned.load()
    assert (header.width, header.height) == turned.size
    expected = saved(turned, "PNG")
    decoder = PixelDecoder("pillow", 16)
    assert (decoder.decode(data) == decoder.decode(expected)).all()


def test_a_big_endian_tiff_and_its_first_page():
    entries = [(256, 4, 1, 7), (257, 3, 1, 5 << 16), (258, 3, 1, 8 << 16)]
    page = struct.pack(">H", len(entries)) + b"".join(struct.pack(">HHII", *e) for e in entries)
    header = read_header(b"MM\0*" + struct.pack(">I", 8) + page + struct.pack(">I", 0))
    assert (header.width, header.height) == (7, 5)
    pages = io.BytesIO()
    scene((20, 10)).save(pages, "TIFF", save_all=True, append_images=[scene((30, 15))])
    assert read_header(pages.getvalue())[1:3] == (20, 10)


def test_of_a_gif_the_first_frame_counts():
    frames = [scene((20, 10), "P"), scene((20, 10), "L")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    decoder = PixelDecoder("pillow", 8)
    first = opened(buffer.getvalue()).convert("RGB")
    assert (decoder.decode(buffer.getvalue()) == decoder.decode(saved(first, "PNG"))).all()


def test_a_gif_cannot_hide_a_large_frame_behind_a_small_screen():
    data = bytearray(encoded("GIF", (300, 200)))
    data[6:10] = struct.pack("<HH", 2, 2)
    assert read_header(bytes(data))[1:3] == (300, 200)
    with pytest.raises(SampleError) as caught:
        read_header(bytes(data), max_pixels=50_000)
    assert caught.value.reason is RejectReason.IMAGE_TOO_LARGE


def test_bmp_rows_may_come_from_the_top_and_headers_be_old():
    data = bytearray(encoded("BMP", (37, 23)))
    (height,) = struct.unpack_from("<i", data, 22)
    data[22:26] = struct.pack("<i", -height)
    assert read_header(bytes(data))[1:3] == (37, 23)
    check_pixels(bytes(data))
    old = b"BM" + bytes(12) + struct.pack("<IHHHH", 12, 37, 23, 1, 24)
    assert read_header(old)[1:3] == (37, 23)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"GIF89a" + bytes(8), "the GIF holds no frame"),
        (b"GIF89a\1\0\1\0\0\0\0", "cut off"),
        (b"BM" + bytes(12) + struct.pack("<I", 13) + bytes(40), "a header of 13 bytes"),
        (b"BM" + bytes(12) + struct.pack("<Iii", 40, -5, 5), "-5 pixels in width"),
        (b"BM" + bytes(12) + struct.pack("<Iii", 40, 5, 0), "5 x 0 pixels"),
        (b"II*\0\x08\0\0\0\0\0\0\0\0\0", "a TIFF page without a size"),
        (b"II*\0\x08\0\0\0\xff\xff", "a TIFF page of 65535 entries"),
        (b"II*\0\xff\xff\xff\x7f", "cut off"),
    ],
)
def test_what_has_no_size_is_refused(data, message):
    with pytest.raises(SampleError, match=message) as caught:
        read_header(data)
    assert caught.value.reason is RejectReason.INVALID_IMAGE


@given(st.sampled_from([b"GIF89a", b"BM", b"II*\0", b"MM\0*"]), st.binary(max_size=200))
def test_only_sample_errors_escape(head, tail):
    try:
        read_header(head + tail)
    except SampleError as error:
        assert error.reason in (RejectReason.INVALID_IMAGE, RejectReason.IMAGE_TOO_LARGE)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF"])
def test_every_cut_is_refused_or_whole(kind):
    data = encoded(kind, (16, 9))
    whole = Image.open(io.BytesIO(data)).size
    for end in range(len(data)):
        try:
            assert read_header(data[:end])[1:3] == whole
        except SampleError as error:
            assert error.reason is RejectReason.INVALID_IMAGE
