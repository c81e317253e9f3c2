"""What an image file says of itself before any pixel is decoded: format, size, orientation.

Headers are read here, those of GIF, BMP and TIFF by `packkit.images.bitmap_headers`, and not with
Pillow, for three reasons. Pillow warns of broken EXIF blocks and of large images, and a warning
cannot be silenced in one thread alone; it needs the whole of a WebP file and allocates its canvas;
and it takes two to five times as long. Reading a header costs a few microseconds whatever the size
of the image, so an image that would blow up in memory is refused before any of its pixels exist.

The orientation is that of the EXIF block alone; one in XMP or in a PNG text chunk is ignored.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from packkit.base.errors import RejectReason, SampleError
from packkit.images.bitmap_headers import bmp_size, gif_size, tiff_size

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""The formats that are accepted, as Pillow names them."""

MAX_PIXELS = 50_000_000
"""Largest image accepted by default, pixels: a PNG of ten kilobytes can hold more than that."""

LARGEST_PIXELS = 1 << 30
"""Greatest `max_pixels` that may be set: decoded, such an image takes 3 GiB."""

LARGEST_SIZE = 8192
"""Edge that images may be resized to at most, pixels: the pixels of one take 192 MiB."""

HEAD_BYTES = 16 << 10
"""Most headers end within these first bytes; a large thumbnail can push them further."""

_EXIF = b"Exif\0\0"
_EXIF_ORIENTATION = 0x0112
_ORIENTATIONS = range(1, 9)
_ORIENTATIONS_THAT_SWAP = (5, 6, 7, 8)
_TIFF_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_TIFF_INTEGERS = {3: "H", 4: "I"}

# Frame headers (ITU T.81, table B.1); 0xC4, 0xC8 and 0xCC are tables and extensions.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers without a segment: stuffing, TEM, restarts, start of image.
_JPEG_BARE = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})
_JPEG_APP1, _JPEG_SCAN, _JPEG_END = 0xE1, 0xDA, 0xD9

_PNG_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}

_WEBP_HAS_EXIF = 0x08


class ImageHeader(NamedTuple):
    """What an image file says of itself before any pixel is decoded.

    Attributes:
        format: Format of the file, one of `FORMATS`.
        width: Width in pixels as displayed, which is after the EXIF orientation.
        height: Height in pixels as displayed.
        orientation: EXIF code, 1 to 8, of how the stored pixels are turned for display; 1 is not
            at all.
    """

    format: str
    width: int
    height: int
    orientation: int


class _Frame(NamedTuple):
    """Size as stored, pixels, and the EXIF orientation, 1 where there is none."""

    width: int
    height: int
    orientation: int


def read_header(data: bytes, *, max_pixels: int = MAX_PIXELS) -> ImageHeader:
    """Reads an image's format and size without decoding a pixel.

    Args:
        data: The encoded file, or as much of its beginning as holds the header.
        max_pixels: Largest width x height accepted.

    Raises:
        SampleError: The data is no readable file of `FORMATS`, or larger than `max_pixels`.

    >>> read_header(b"RIFF\\x1a\\0\\0\\0WEBPVP8L\\x0d\\0\\0\\0/\\x3f\\xc0\\x0b\\0")
    ImageHeader(format='WEBP', width=64, height=48, orientation=1)
    """
    try:
        kind, (width, height, orientation) = _frame(data)
    except (struct.error, IndexError):
        raise _invalid("the header is cut off") from None
    if not width or not height:
        raise _invalid(f"the header states {width} x {height} pixels")
    if width * height > max_pixels:
        raise SampleError(
            RejectReason.IMAGE_TOO_LARGE,
            f"{width} x {height} = {width * height} pixels, more than max_pixels {max_pixels}",
        )
    if orientation in _ORIENTATIONS_THAT_SWAP:
        width, height = height, width
    return ImageHeader(kind, width, height, orientation)


def image_kind(data: bytes) -> str | None:
    """Returns which of `FORMATS` a file begins as; None for anything else.

    >>> image_kind(b"GIF89a..."), image_kind(b"A caption.")
    ('GIF', None)
    """
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith(b"BM"):
        return "BMP"
    return "TIFF" if data[:4] in _TIFF_BYTE_ORDERS else None


def _frame(data: bytes) -> tuple[str, _Frame]:
    match kind := image_kind(data):
        case "JPEG":
            return kind, _jpeg(data)
        case "PNG":
            return kind, _png(data)
        case "WEBP":
            return kind, _webp(data)
        case "GIF":
            return kind, _Frame(*gif_size(data), 1)
        case "BMP":
            return kind, _Frame(*bmp_size(data), 1)
        case "TIFF":
            # Pillow turns a TIFF upright by itself.
            return kind, _Frame(*tiff_size(data), 1)
    raise _invalid(f"not a JPEG, PNG, WebP, GIF, BMP or TIFF file: it begins with {data[:8]!r}")


def _jpeg(data: bytes) -> _Frame:
    """Walks the segments up to the first scan (ITU T.81, annex B)."""
    width = height = 0
    orientation = None
    position = 2
    while True:
        position = _next_marker(data, position)
        marker = data[position]
        if marker in _JPEG_BARE:
            position += 1
            continue
        if marker in (_JPEG_SCAN, _JPEG_END):
            return _Frame(width, height, orientation or 1)
        (size,) = struct.unpack_from(">H", data, position + 1)
        if marker in _JPEG_FRAMES:
            precision, height, width, layers = struct.unpack_from(">BHHB", data, position + 3)
            if precision != 8 or layers not in (1, 3, 4):
                raise _invalid(f"a JPEG of {layers} layers of {precision} bits")
        elif marker == _JPEG_APP1 and orientation is None and data.startswith(_EXIF, position + 3):
            # A block too long for one segment goes on in the next: only the first has the tags.
            orientation = _orientation(data[position + 9 : position + 1 + size])
        position += 1 + size


def _next_marker(data: bytes, position: int) -> int:
    """Returns where the next marker's code stands, past what writers leave between segments."""
    position = data.find(b"\xff", position)
    if position < 0:
        raise _invalid("the header is cut off")
    while data[position] == 0xFF:
        position += 1
    return position


def _png(data: bytes) -> _Frame:
    """Reads IHDR, then walks the chunks up to the first IDAT (PNG, sections 5 and 11)."""
    width, height, depth, color = struct.unpack_from(">IIBB", data, 16)
    (checksum,) = struct.unpack_from(">I", data, 29)
    is_sound = data[8:16] == b"\0\0\0\x0dIHDR" and zlib.crc32(data[12:29]) == checksum
    if not is_sound or depth not in _PNG_DEPTHS.get(color, ()):
        raise _invalid("the PNG header is broken")
    position = 33
    while True:
        size, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"IDAT":
            return _Frame(width, height, 1)
        if kind == b"eXIf":
            exif = data[position + 8 : position + 8 + size]
            return _Frame(width, height, _orientation(exif))
        position += 12 + size


def _webp(data: bytes) -> _Frame:
    """Reads the first chunk (RFC 9649); of a file with EXIF, which stands last, all of them."""
    match data[12:16]:
        case b"VP8X":
            sizes = struct.unpack_from("3s3s", data, 24)
            width, height = (int.from_bytes(size, "little") + 1 for size in sizes)
            has_exif = data[20] & _WEBP_HAS_EXIF
            return _Frame(width, height, _webp_orientation(data) if has_exif else 1)
        case b"VP8L" if data[20] == 0x2F:
            (bits,) = struct.unpack_from("<I", data, 21)
            return _Frame((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, 1)
        case b"VP8 " if data[23:26] == b"\x9d\x01\x2a":
            width, height = struct.unpack_from("<HH", data, 26)
            return _Frame(width & 0x3FFF, height & 0x3FFF, 1)
    raise _invalid("the WebP header is broken")


def _webp_orientation(data: bytes) -> int:
    (size,) = struct.unpack_from("<I", data, 4)
    position = 30
    while position < 8 + size:
        kind, length = struct.unpack_from("<4sI", data, position)
        if kind == b"EXIF":
            return _orientation(data[position + 8 : position + 8 + length].removeprefix(_EXIF))
        position += 8 + length + length % 2
    return 1


def _orientation(tiff: bytes) -> int:
    """Returns the orientation of an EXIF block; displays ignore one that cannot be read."""
    order = _TIFF_BYTE_ORDERS.get(tiff[:4])
    if order is None:
        return 1
    try:
        (position,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, position)
        for entry in range(position + 2, position + 2 + 12 * entries, 12):
            tag, kind = struct.unpack_from(order + "HH", tiff, entry)
            if tag == _EXIF_ORIENTATION and kind in _TIFF_INTEGERS:
                (value,) = struct.unpack_from(order + _TIFF_INTEGERS[kind], tiff, entry + 8)
                return int(value) if value in _ORIENTATIONS else 1
    except struct.error:
        return 1
    return 1


def _invalid(detail: str) -> SampleError:
    return SampleError(RejectReason.INVALID_IMAGE, detail)
