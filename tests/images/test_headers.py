import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, ImageFile

from packkit.base.errors import RejectReason, SampleError
from packkit.images.headers import HEAD_BYTES, ImageHeader, read_header

ORIENTATION = 0x0112


def encoded(kind, mode="RGB", size=(37, 23), **options):
    buffer = io.BytesIO()
    Image.radial_gradient("L").resize(size).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def exif(orientation, *, order="<", kind=3):
    """A TIFF block with some tags around the orientation."""
    magic = b"II*\0" if order == "<" else b"MM\0*"
    value = struct.pack(order + {3: "H2x", 4: "I"}[kind], orientation)
    entries = [
        struct.pack(order + "HHI4s", 0x0103, 3, 1, b"\0\0\0\0"),
        struct.pack(order + "HHI4s", ORIENTATION, kind, 1, value),
        struct.pack(order + "HHI4s", 0x0128, 3, 1, b"\0\0\0\0"),
    ]
    directory = struct.pack(order + "H", len(entries)) + b"".join(entries) + b"\0\0\0\0"
    return b"Exif\0\0" + magic + struct.pack(order + "I", 8) + directory


def png_chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_that_declares(width, height):
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", size) + png_chunk(b"IDAT", b"")


# As many kinds of file as Pillow can write.
FILES = {
    "jpeg": encoded("JPEG"),
    "jpeg grey": encoded("JPEG", "L"),
    "jpeg cmyk": encoded("JPEG", "CMYK"),
    "jpeg progressive": encoded("JPEG", progressive=True),
    "jpeg restarts": encoded("JPEG", restart_marker_rows=1),
    "jpeg with metadata": encoded(
        "JPEG", comment=b"\xff\xd8", dpi=(72, 72), icc_profile=b"p" * 999
    ),
    "jpeg exif": encoded("JPEG", exif=exif(6)),
    "png": encoded("PNG"),
    "png 1 bit": encoded("PNG", "1"),
    "png grey": encoded("PNG", "L"),
    "png 16 bit": encoded("PNG", "I;16"),
    "png palette": encoded("PNG", "P"),
    "png alpha": encoded("PNG", "RGBA"),
    "png grey alpha": encoded("PNG", "LA"),
    "png exif": encoded("PNG", exif=exif(6)),
    "webp": encoded("WEBP"),
    "webp lossless": encoded("WEBP", lossless=True),
    "webp alpha": encoded("WEBP", "RGBA"),
    "webp exif": encoded("WEBP", exif=exif(6)),
}


@pytest.mark.parametrize("name", FILES)
def test_header_says_what_decoding_finds(name):
    data = FILES[name]
    with Image.open(io.BytesIO(data)) as image:
        size, orientation = (image.size[::-1], 6) if name.endswith("exif") else (image.size, 1)
        assert read_header(data) == ImageHeader(image.format, *size, orientation)


@given(
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    kind=st.sampled_from(["JPEG", "PNG", "WEBP"]),
)
def test_size_is_exact(width, height, kind):
    assert read_header(encoded(kind, size=(width, height))) == ImageHeader(kind, width, height, 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("integer", [3, 4])
def test_exif_orientation_swaps_as_pillow_displays(kind, orientation, order, integer):
    data = encoded(kind, exif=exif(orientation, order=order, kind=integer))
    size = (23, 37) if orientation in (5, 6, 7, 8) else (37, 23)
    # 0 and 9 mean nothing; displays show such an image as it is.
    followed = orientation if 1 <= orientation <= 8 else 1
    assert read_header(data) == ImageHeader(kind, *size, followed)
    with Image.open(io.BytesIO(data)) as image:
        assert image.getexif().get(ORIENTATION) == orientation


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_long_exif_block_goes_on_in_a_second_segment(orientation):
    data = encoded("JPEG", exif=exif(orientation))
    for rest in (b"the end of a thumbnail", exif(3)[6:]):
        # Appended to the first, it has no tags of its own, whatever it looks like.
        segment = b"\xff\xe1" + struct.pack(">H", 8 + len(rest)) + b"Exif\0\0" + rest
        start = data.index(b"\xff\xdb")
        longer = data[:start] + segment + data[start:]
        assert read_header(longer) == read_header(data)
        with Image.open(io.BytesIO(longer)) as image:
            assert image.getexif().get(ORIENTATION) == orientation == read_header(longer)[3]


def header_bytes(name):
    """Where the header of a file ends, found by its markers alone."""
    data = FILES[name]
    if name.startswith("jpeg"):
        return data.index(b"\xff\xda") + 2
    if name.startswith("png"):
        return data.index(b"eXIf" if "exif" in name else b"IDAT") + 4
    return {b"VP8L": 25, b"VP8 ": 30}.get(data[12:16], 30 if "exif" not in name else len(data) - 4)


@pytest.mark.parametrize("name", FILES)
def test_header_cut_off_at_every_byte(name):
    data = FILES[name]
    end = header_bytes(name)
    for size in range(len(data)):
        try:
            header = read_header(data[:size])
        except SampleError as error:
            assert error.reason is RejectReason.INVALID_IMAGE
            assert size < end or "exif" in name
        else:
            assert header[0] == read_header(data)[0]
            assert size >= end or "exif" in name


@pytest.mark.parametrize("name", [name for name in FILES if name != "webp exif"])
def test_header_needs_the_first_bytes_only(name):
    padded = FILES[name][: HEAD_BYTES - 1]
    assert read_header(padded) == read_header(FILES[name])


@pytest.mark.parametrize("kind", ["EPS", "ICO", "PPM", "TGA", "JPEG2000"])
def test_other_formats_are_refused(kind):
    with pytest.raises(SampleError, match="not a JPEG, PNG, WebP, GIF, BMP or TIFF file") as caught:
        read_header(encoded(kind))
    assert caught.value.reason is RejectReason.INVALID_IMAGE


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"<svg/>", b"RIFF\0\0\0\0AVI ", b"\xff\xd8", b"\x89PNG"]
)
def test_what_is_no_image_is_refused(data):
    with pytest.raises(SampleError, match="not a JPEG, PNG, WebP, GIF, BMP or TIFF file"):
        read_header(data)


def test_a_bomb_is_refused_by_its_header():
    bomb = png_that_declares(20_000, 20_000)
    assert len(bomb) < 100
    with pytest.raises(
        SampleError, match="20000 x 20000 = 400000000 pixels, more than max_pixels 50000000"
    ):
        read_header(bomb)
    assert read_header(bomb, max_pixels=400_000_000).width == 20_000
    with pytest.raises(SampleError) as caught:
        read_header(bomb, max_pixels=399_999_999)
    assert caught.value.reason is RejectReason.IMAGE_TOO_LARGE


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0)])
def test_no_pixels_is_no_image(size):
    with pytest.raises(SampleError, match=f"states {size[0]} x {size[1]} pixels"):
        read_header(png_that_declares(*size))


def test_no_pixel_is_decoded(monkeypatch):
    def load(self):
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    monkeypatch.setattr(Image, "open", load)
    for data in FILES.values():
        read_header(data)


def test_twelve_bit_jpeg_is_refused():
    data = bytearray(FILES["jpeg"])
    data[data.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(SampleError, match="3 layers of 12 bits"):
        read_header(bytes(data))


def test_a_png_header_with_a_wrong_checksum_is_refused():
    data = bytearray(FILES["png"])
    data[17] ^= 1
    with pytest.raises(SampleError, match="the PNG header is broken"):
        read_header(bytes(data))


def test_a_large_thumbnail_pushes_the_size_out_of_the_head():
    profile = bytes(range(256)) * 200
    data = encoded("JPEG", icc_profile=profile)
    with pytest.raises(SampleError, match="cut off"):
        read_header(data[:HEAD_BYTES])
    assert read_header(data) == ImageHeader("JPEG", 37, 23, 1)


def test_junk_and_fill_bytes_between_segments():
    data = FILES["jpeg"]
    start = data.index(b"\xff\xdb")
    for junk in (b"\xff" * 5, b"\0\1\2", b"\xff\0", b"\xff\x01", b"\xff\xd0\xff\xff"):
        assert read_header(data[:start] + junk + data[start:]) == ImageHeader("JPEG", 37, 23, 1)


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",
        b"II*\0\x08\0\0\0\xff\xff",
        b"garbage that is no TIFF block",
        exif(6)[6:-20],
    ],
)
def test_a_broken_exif_block_is_ignored_without_a_warning(block):
    for kind in ("JPEG", "PNG", "WEBP"):
        # The WebP writer takes no empty block.
        if block or kind != "WEBP":
            data = encoded(kind, exif=b"Exif\0\0" + block)
            assert read_header(data) == ImageHeader(kind, 37, 23, 1)


@given(
    st.sampled_from(sorted(FILES)),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1, max_size=6),
)
@example("jpeg", [(4, 0), (5, 0)])
def test_damage_is_read_as_pillow_reads_it_or_refused(name, flips):
    data = bytearray(FILES[name])
    for position, value in flips:
        data[position % len(data)] = value
    damaged = bytes(data)
    try:
        header = read_header(damaged)
    except SampleError:
        return
    try:
        size = pillow_size(damaged)
    except Exception:
        # Pillow lets many kinds of error escape; only what it accepts is compared.
        return
    assert sorted(header[1:3]) == sorted(size)


def pillow_size(data):
    kind = {b"\xff": "JPEG", b"\x89": "PNG", b"R": "WEBP"}[data[:1]]
    Image.preinit()
    Image.init()
    return Image.OPEN[kind][0](io.BytesIO(data), "").size


@given(
    st.binary(max_size=80), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF"])
)
def test_nothing_but_a_sample_error_escapes(tail, magic):
    for data in (magic + tail, b"RIFF____WEBP" + tail, b"RIFF____WEBPVP8X" + tail):
        try:
            read_header(data)
        except SampleError as error:
            assert error.reason in (RejectReason.INVALID_IMAGE, RejectReason.IMAGE_TOO_LARGE)


def test_real_photographs_read_as_pillow_reads_them():
    pixels = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    for kind in ("JPEG", "PNG", "WEBP"):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, kind)
        assert read_header(buffer.getvalue()[:HEAD_BYTES]) == ImageHeader(kind, 640, 480, 1)
