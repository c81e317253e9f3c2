"""Image files made for tests, and what a decoder has to make of them."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL.Image import Resampling

from packkit.base.errors import SampleError

FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"]


def scene(size, mode="RGB"):
    """A picture with edges, ramps and noise, whose turns all differ."""
    width, height = size
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    noise = np.random.default_rng(width * 1009 + height).integers(0, 40, (height, width))
    planes = [x, np.where(x > 2 * y, 230, y), (x + y) / 4 + noise, 255 - np.minimum(x, y)]
    pixels = np.stack(planes, axis=-1).clip(0, 255).astype(np.uint8)
    match mode:
        case "RGB" | "P" | "1" | "L":
            return Image.fromarray(pixels[..., :3]).convert(mode)
        case "LA":
            return Image.fromarray(pixels[..., [0, 3]].copy(), "LA")
        case "I;16":
            return Image.fromarray((x * 257).astype(np.uint16))
    return Image.fromarray(pixels, mode)


def saved(image, kind="JPEG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def encoded(kind="JPEG", size=(37, 23), **options):
    return saved(scene(size), kind, **options)


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def opened(data):
    return Image.open(io.BytesIO(data))


def squashed(image, size):
    """What a decoder has to make of an image in RGB."""
    return np.asarray(image.resize((size, size), Resampling.BICUBIC)).transpose(2, 0, 1)


def png_chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(samples, depth, color, *chunks, after=b""):
    """Writes a PNG by hand: Pillow writes few of its kinds. Samples are [height, width, layers]."""
    height, width, _ = samples.shape
    bits = np.unpackbits(samples.astype(">u2")[..., None].view(np.uint8), axis=-1)
    rows = np.packbits(bits[..., 16 - depth :].reshape(height, -1), axis=1)
    lines = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    parts = [png_chunk(b"IHDR", header), *chunks, png_chunk(b"IDAT", zlib.compress(lines)), after]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + png_chunk(b"IEND", b"")


def reason_of(call):
    with pytest.raises(SampleError) as caught:
        call()
    return caught.value.reason
