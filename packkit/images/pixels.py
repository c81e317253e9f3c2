"""Turns encoded images into the square pixels that a vision tower takes.

The pixels are those of Hugging Face's SigLIP image processor before it rescales them: the image as
displayed, in RGB, squashed to a square with Pillow's bicubic filter. Where that processor drops
alpha and lets whatever lies below show, transparent parts are white here.

Two decoders give them. `pillow` is the reference, bit for bit. `turbo` is faster for JPEG, the more
so the larger and in colour, and differs by a few levels of 255, and by more at a few sharp edges.
"""

from __future__ import annotations

import io
import math
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from packkit.base.errors import InputError, MissingExtraError, RejectReason, SampleError
from packkit.base.values import check_whole
from packkit.images import LARGEST_PIXELS, LARGEST_SIZE, MAX_PIXELS, ImageHeader, read_header

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

DECODERS = ("pillow", "turbo")
"""Names of the decoders."""

# What Pillow's readers raise of files that are broken.
_FAILURES = (OSError, ValueError, EOFError, SyntaxError, IndexError, struct.error)

# What simplejpeg calls JPEGs of four inks. In RGB they differ by a level or two from Pillow's.
_FOUR_INKS = ("CMYK", "YCCK")

# Eighths that may be left of an edge where libjpeg scales to a half or less, or not at all.
_EIGHTHS = (8, 1, 2, 3, 4)

# EXIF orientations: in 5 to 8 rows and columns are swapped before anything is flipped.
_FIRST_SWAPPED = 5
_FLIPPED_LEFT_RIGHT = (2, 3, 6, 7)
_FLIPPED_UPSIDE_DOWN = (3, 4, 7, 8)


@dataclass(frozen=True, slots=True)
class PixelDecoder:
    """Decodes images to squares of one size; may be used from many threads, and pickled.

    What decides the pixels, the same for both decoders:

    - The EXIF orientation is applied: an image is as it is displayed.
    - Alpha, transparent colours and transparent palette entries are laid over white.
    - 16-bit grey is scaled to 8 bits, rounded; 16-bit colours lose their lower byte.
    - CMYK becomes RGB as Pillow turns it. Colour profiles are not applied.
    - Of an animation the first frame is taken.

    `turbo` reads JPEG with simplejpeg, scaled by libjpeg itself to a half or less where at least
    twice `size` is left, squashes it with torch and then turns it. Other formats, JPEG in CMYK and
    JPEG that simplejpeg refuses are left to `pillow`: simplejpeg is strict about what libjpeg only
    warns of, such as stray bytes before a marker. So Pillow decides what cannot be decoded.

    Args:
        name: Name of the decoder, ``pillow`` or ``turbo``; the latter needs the extra ``turbo``.
        size: Edge of the square, pixels.
        max_pixels: Largest image accepted, width x height, as its header states it.

    Raises:
        InputError: There is no such decoder or size.
        MissingExtraError: The decoder ``turbo`` needs simplejpeg and torch, and one is missing.
    """

    name: Literal["pillow", "turbo"]
    size: int
    _: KW_ONLY
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        if self.name not in DECODERS:
            raise InputError(f"decoder must be one of {', '.join(DECODERS)}, got {self.name!r}")
        check_whole("image_size", self.size, 1, LARGEST_SIZE)
        check_whole("max_pixels", self.max_pixels, 1, LARGEST_PIXELS)
        if self.name == "turbo":
            for module in ("simplejpeg", "torch"):
                if find_spec(module) is None:
                    raise MissingExtraError(module, "turbo")

    @property
    def spec(self) -> dict[str, object]:
        """What the pixels depend on, besides the file."""
        return {"decoder": self.name, "image_size": self.size, "resampling": "bicubic"}

    def decode(self, data: bytes) -> NDArray[np.uint8]:
        """Returns the pixels of an encoded image, uint8 [3, size, size].

        Raises:
            SampleError: The image cannot be decoded, or is larger than `max_pixels`.
        """
        out = np.empty((3, self.size, self.size), np.uint8)
        self.decode_into(data, out)
        return out

    def decode_into(self, data: bytes, out: NDArray[np.uint8]) -> None:
        """Writes the pixels of an encoded image into an array.

        Args:
            data: A file of `packkit.images.FORMATS`.
            out: uint8 [3, size, size], of any strides; left as it was where an error is raised.

        Raises:
            InputError: `out` is not such an array, or is read-only.
            SampleError: The image cannot be decoded, or is larger than `max_pixels`.
        """
        shape = (3, self.size, self.size)
        if out.shape != shape or out.dtype != np.uint8 or not out.flags.writeable:
            kind = f"{'' if out.flags.writeable else 'read-only '}{out.dtype} {list(out.shape)}"
            raise InputError(f"out must be writeable uint8 {list(shape)}, got {kind}")
        header = read_header(data, max_pixels=self.max_pixels)
        if self.name == "turbo" and header.format == "JPEG":
            scaled = _scaled_jpeg(data, 2 * self.size)
            if scaled is not None:
                _squash_with_torch(*scaled, header.orientation, out)
                return
        with _decoded(data, header) as image:
            _squash_with_pillow(_upright(_opaque(image), header.orientation), out)


def check_pixels(data: bytes) -> None:
    """Decodes an image to see that all of it can be.

    Args:
        data: The encoded file, whose header has been read.

    Raises:
        SampleError: The image cannot be decoded to the end.
    """
    with _decoded(data, read_header(data, max_pixels=sys.maxsize)):
        pass  # Decoding is the check; the pixels are not used.


def displayed_image(data: bytes) -> Image:
    """Returns an image as it is displayed: upright, over white, in RGB, or in L where it is grey.

    Args:
        data: A file of `packkit.images.FORMATS`.

    Raises:
        SampleError: The image cannot be decoded, or is larger than `MAX_PIXELS`.
    """
    header = read_header(data)
    with _decoded(data, header) as image:
        # Closing the file must not take the pixels along.
        return _upright(_opaque(image), header.orientation).copy()


@contextmanager
def _decoded(data: bytes, header: ImageHeader) -> Iterator[Image]:
    """Decodes an image, or its first frame, with Pillow; what fails within is the sample's fault.

    Pillow's parts are taken by themselves: `Image.open` warns of large images, and a warning cannot
    be silenced in one thread alone. `read_header` has refused what is too large.
    """
    from PIL.BmpImagePlugin import BmpImageFile
    from PIL.GifImagePlugin import GifImageFile
    from PIL.Image import DecompressionBombError
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile
    from PIL.TiffImagePlugin import TiffImageFile
    from PIL.WebPImagePlugin import WebPImageFile

    readers: dict[str, Callable[[io.BytesIO], ImageFile]] = {
        "JPEG": JpegImageFile,
        "PNG": PngImageFile,
        "WEBP": WebPImageFile,
        "GIF": GifImageFile,
        "BMP": BmpImageFile,
        "TIFF": TiffImageFile,
    }
    if header.format == "JPEG":
        # Pillow reads EXIF while it opens a JPEG, and warns where it is broken.
        data = data.replace(b"Exif\0\0", b"None\0\0")
    try:
        with readers[header.format](io.BytesIO(data)) as image:
            # A second header in a PNG would lift the size over the limit after it was checked.
            if image.width * image.height != header.width * header.height:
                raise ValueError(f"it states a second size, {image.width} x {image.height}")
            image.load()
            if image.mode == "P" and image.palette is None:
                raise ValueError("its palette is missing")
            yield image
    except DecompressionBombError as error:
        raise SampleError(RejectReason.IMAGE_TOO_LARGE, str(error)) from None
    except _FAILURES as error:
        raise SampleError(RejectReason.INVALID_IMAGE, f"cannot be decoded ({error})") from None


def _opaque(image: Image) -> Image:
    """Returns an image in RGB, or in L where it is grey: a third of the work of squashing."""
    from PIL.Image import new

    if image.mode.startswith("I"):
        return _grey_of_16_bits(image)
    if image.has_transparency_data:
        colours = image.convert("RGBA")
        paper = new("RGB", image.size, "white")
        paper.paste(colours, mask=colours.getchannel("A"))
        return paper
    if image.mode in ("RGB", "L"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _grey_of_16_bits(image: Image) -> Image:
    """Scales 0..65535 to 0..255, where Pillow would clip at 255."""
    from PIL.Image import fromarray

    values = np.asarray(image).astype(np.uint32)
    # Exactly v * 255 / 65535, rounded: 65535 is 255 * 257, and an odd divisor leaves no ties.
    levels = ((values + 128) // 257).astype(np.uint8)
    levels[values == image.info.get("transparency", -1)] = 255
    return fromarray(levels)


def _upright(image: Image, orientation: int) -> Image:
    from PIL.Image import fromarray

    return image if orientation == 1 else fromarray(_turned(np.asarray(image), orientation))


def _turned(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Returns a view of stored pixels, [height, width, ...], as EXIF has them displayed."""
    if orientation >= _FIRST_SWAPPED:
        pixels = pixels.swapaxes(0, 1)
    down = -1 if orientation in _FLIPPED_UPSIDE_DOWN else 1
    right = -1 if orientation in _FLIPPED_LEFT_RIGHT else 1
    return pixels[::down, ::right]


def _squash_with_pillow(image: Image, out: NDArray[np.uint8]) -> None:
    """Resizes an image in RGB or L to the square of `out`."""
    from PIL.Image import Resampling

    size = out.shape[2], out.shape[1]
    if image.size != size:
        image = image.resize(size, Resampling.BICUBIC)
    # A plane at a time: Pillow takes its pixels apart faster than numpy turns them round.
    planes = [
        np.frombuffer(image.tobytes("raw", band), np.uint8).reshape(out.shape[1:])
        for band in image.getbands()
    ]
    for index in range(len(out)):
        out[index] = planes[index % len(planes)]


def _scaled_jpeg(data: bytes, minimum: int) -> tuple[NDArray[np.uint8], tuple[float, float]] | None:
    """Decodes a JPEG with simplejpeg, scaled down where each edge keeps `minimum` pixels.

    Returns:
        The pixels as stored, uint8 [height, width, 3], and what height and width of the file come
        to at their scale: the pixels have both rounded up. None where Pillow has to decode it.
    """
    import simplejpeg

    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if colours in _FOUR_INKS:
            return None
        # Left to itself, simplejpeg takes an edge of one pixel to be large enough at any scale.
        limits = {"min_height": minimum, "min_width": minimum, "min_factor": 2}
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(
            data, "RGB", strict=True, **(limits if min(height, width) >= minimum else {})
        )
    except ValueError:
        return None
    exact = ((height * eighths / 8, width * eighths / 8) for eighths in _EIGHTHS)
    return pixels, next(edges for edges in exact if pixels.shape[:2] == (*map(math.ceil, edges),))


def _squash_with_torch(
    pixels: NDArray[np.uint8],
    edges: tuple[float, float],
    orientation: int,
    out: NDArray[np.uint8],
) -> None:
    """Resizes what `_scaled_jpeg` returns to the square of `out`, then turns it upright."""
    import torch

    # Left channels last, where torch has a vectorised way for bytes.
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    if tensor.shape[1:] != out.shape:
        # By factors, not to a size: the last row and column may stand for less than a whole one,
        # and taking them for whole would shift the picture. The next float up, so that the size,
        # which is rounded down, comes to that of `out`.
        factors = [math.nextafter(len(out[0]) / edge, math.inf) for edge in edges]
        tensor = torch.nn.functional.interpolate(
            tensor, scale_factor=factors, mode="bicubic", antialias=True
        )
    out[...] = _turned(tensor[0].permute(1, 2, 0).numpy(), orientation).transpose(2, 0, 1)
