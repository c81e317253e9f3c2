"""Images as a chat model gets them: data URLs, no larger than needed."""

from __future__ import annotations

import io

import pybase64

from packkit.images import read_header
from packkit.images.pixels import displayed_image

# What every server with eyes reads.
_SENT = ("JPEG", "PNG", "WEBP", "GIF")
_QUALITY = 90


def sent_size(width: int, height: int, side: int) -> tuple[int, int]:
    """Returns the size in which an image is sent, pixels.

    Args:
        width: Width of the image as displayed, pixels.
        height: Height of the image as displayed, pixels.
        side: Longest side that an image may have, pixels.

    >>> sent_size(4000, 3000, 1024), sent_size(640, 480, 1024)
    ((1024, 768), (640, 480))
    """
    longer = max(width, height)
    if longer <= side:
        return width, height
    return max(1, round(width * side / longer)), max(1, round(height * side / longer))


def data_url(data: bytes, side: int) -> str:
    """Returns an image as a data URL.

    An image whose longer side is at most `side` is sent as it is, byte for byte, if servers take
    its format. Any other is turned upright, laid over white, made smaller and sent as JPEG.

    Args:
        data: Bytes of a file of `packkit.images.FORMATS`.
        side: Longest side that an image may have, pixels.

    Raises:
        SampleError: The bytes are no such file, or have to be made smaller and cannot be decoded.
    """
    header = read_header(data)
    size = sent_size(header.width, header.height, side)
    if size == (header.width, header.height) and header.format in _SENT:
        return _url(header.format, data)
    from PIL.Image import Resampling

    buffer = io.BytesIO()
    smaller = displayed_image(data).resize(size, Resampling.LANCZOS, reducing_gap=3.0)
    smaller.save(buffer, "JPEG", quality=_QUALITY)
    return _url("JPEG", buffer.getvalue())


def _url(kind: str, data: bytes) -> str:
    return f"data:image/{kind.lower()};base64,{pybase64.b64encode_as_string(data)}"
