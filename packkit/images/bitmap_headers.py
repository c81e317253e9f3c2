"""Sizes of GIF, BMP and TIFF files, read from their headers before any pixel is decoded."""

from __future__ import annotations

import struct
from typing import NamedTuple

from packkit.base.errors import RejectReason, SampleError

_GIF_EXTENSION, _GIF_IMAGE = 0x21, 0x2C
_GIF_HAS_COLOURS = 0x80
# Sizes of the header that follows the file's own: OS/2's, then those of Windows.
_BMP_OLD, _BMP_LEAST = 12, 40

_TIFF_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_TIFF_INTEGERS = {3: "H", 4: "I"}
# Bytes of a value of each type (TIFF 6.0, section 2, and technical note 1).
_TIFF_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
# Larger values stand somewhere else.
_TIFF_INLINE = 4
_WIDTH, _HEIGHT, _BITS, _ORIENTATION, _SAMPLE_FORMAT = 256, 257, 258, 274, 339
_TIFF_TAGS = frozenset({_WIDTH, _HEIGHT, _BITS, _ORIENTATION, _SAMPLE_FORMAT})
_TIFF_DEPTHS = (1, 2, 4, 8, 16)
_TIFF_UNSIGNED = 1
_TURNED = range(5, 9)
# Cameras and scanners write some dozens.
_MOST_ENTRIES = 4096


class Size(NamedTuple):
    """Width and height as displayed, pixels."""

    width: int
    height: int


def gif_size(data: bytes) -> Size:
    """Returns the size of the first frame's canvas (GIF89a, sections 18 to 20).

    A frame that reaches over the screen that the file states makes the canvas larger.

    Raises:
        struct.error: The header is cut off.
        IndexError: The header is cut off.
        SampleError: There is no frame.
    """
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position = 13 + _colours(flags)
    while data[position] == _GIF_EXTENSION:
        position += 2
        while data[position]:
            position += 1 + data[position]
        position += 1
    if data[position] != _GIF_IMAGE:
        raise _invalid("the GIF holds no frame")
    left, top, across, down = struct.unpack_from("<4H", data, position + 1)
    return Size(max(width, left + across), max(height, top + down))


def _colours(flags: int) -> int:
    """Returns the bytes of a table of colours."""
    return 3 << ((flags & 7) + 1) if flags & _GIF_HAS_COLOURS else 0


def bmp_size(data: bytes) -> Size:
    """Returns the size that a BMP states; rows from the top have a negative height.

    Raises:
        struct.error: The header is cut off.
        SampleError: The header is none that is known.
    """
    (size,) = struct.unpack_from("<I", data, 14)
    if size == _BMP_OLD:
        return Size(*struct.unpack_from("<HH", data, 18))
    if size < _BMP_LEAST:
        raise _invalid(f"a BMP with a header of {size} bytes")
    width, height = struct.unpack_from("<ii", data, 18)
    if width < 0:
        raise _invalid(f"a BMP of {width} pixels in width")
    return Size(width, abs(height))


def tiff_size(data: bytes) -> Size:
    """Returns the size of a TIFF's first page as displayed (TIFF 6.0, sections 2 and 8).

    All of the page's entries must be there: Pillow warns of those that are not.

    Raises:
        struct.error: The header is cut off.
        SampleError: The page has no size, or pixels that are no levels of at most 16 bits.
    """
    order = _TIFF_ORDERS[data[:4]]
    (position,) = struct.unpack_from(order + "I", data, 4)
    (entries,) = struct.unpack_from(order + "H", data, position)
    if entries > _MOST_ENTRIES:
        raise _invalid(f"a TIFF page of {entries} entries")
    tags: dict[int, int] = {}
    for entry in range(position + 2, position + 2 + 12 * entries, 12):
        tag, kind, count, place = struct.unpack_from(order + "HHII", data, entry)
        size = count * _TIFF_BYTES.get(kind, 0)
        place = place if size > _TIFF_INLINE else entry + 8
        if place + size > len(data):
            raise _invalid("the header is cut off")
        if tag in _TIFF_TAGS and kind in _TIFF_INTEGERS and count:
            (tags[tag],) = struct.unpack_from(order + _TIFF_INTEGERS[kind], data, place)
    struct.unpack_from(order + "I", data, position + 2 + 12 * entries)
    if _WIDTH not in tags or _HEIGHT not in tags:
        raise _invalid("a TIFF page without a size")
    bits, kind = tags.get(_BITS, 1), tags.get(_SAMPLE_FORMAT, _TIFF_UNSIGNED)
    if bits not in _TIFF_DEPTHS or kind != _TIFF_UNSIGNED:
        raise _invalid(f"a TIFF of {bits} bits a level, format {kind}")
    width, height = tags[_WIDTH], tags[_HEIGHT]
    return Size(height, width) if tags.get(_ORIENTATION) in _TURNED else Size(width, height)


def _invalid(detail: str) -> SampleError:
    return SampleError(RejectReason.INVALID_IMAGE, detail)
