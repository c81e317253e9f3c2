"""Image files as they come: their headers, their bytes, and where they stand.

Nothing here decodes pixels but `check_pixels`. Reading a header costs tens of microseconds
whatever the size of the image, so an image that would blow up in memory is refused before any of
its pixels exist.
"""

from __future__ import annotations

import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from packkit.errors import InputError, RejectReason, SampleError
from packkit.schema import ImagePeek, ImageRef

__all__ = [
    "FORMATS",
    "HEAD_BYTES",
    "MAX_PIXELS",
    "DataRoot",
    "FileImage",
    "ImageHeader",
    "RangeImage",
    "check_pixels",
    "image_size",
    "read_header",
]

FORMATS = ("JPEG", "PNG", "WEBP")

MAX_PIXELS = 50_000_000
"""Largest image accepted by default, pixels: a PNG of ten kilobytes can hold more than that."""

HEAD_BYTES = 16 << 10
"""Most headers end within these first bytes; a large thumbnail can push them further."""

_EXIF_ORIENTATION = 0x0112
_ORIENTATIONS_THAT_SWAP = (5, 6, 7, 8)


class ImageHeader(NamedTuple):
    """What an image file says of itself before any pixel is decoded.

    Attributes:
        format: ``JPEG``, ``PNG`` or ``WEBP``.
        width: pixels, as displayed: after the EXIF orientation.
        height: pixels, as displayed.
    """

    format: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class FileImage:
    """An image that is a file of its own.

    Attributes:
        path: where it stands.
    """

    path: str

    def peek(self, size: int) -> ImagePeek:
        """Returns the first `size` bytes and the file's size and time.

        Raises:
            SampleError: there is no such regular file.
        """
        return self._read(size)

    def read(self) -> bytes:
        """Returns the bytes of the file.

        Raises:
            SampleError: there is no such regular file.
        """
        return self._read(None).head

    def read_all(self) -> ImagePeek:
        """Returns all bytes with the size and time of the file they were read from.

        Raises:
            SampleError: there is no such regular file.
        """
        return self._read(None)

    def _read(self, size: int | None) -> ImagePeek:
        try:
            # O_NONBLOCK: opening a pipe that someone left in a data folder must not hang.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise _missing(self.path, error.strerror) from None
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _missing(self.path, "not a regular file")
            data = os.pread(descriptor, status.st_size if size is None else size, 0)
        finally:
            os.close(descriptor)
        return ImagePeek(data, status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class RangeImage:
    """An image that is a byte range of a larger file.

    Attributes:
        path: the file.
        offset: first byte.
        size: bytes.
    """

    path: str
    offset: int
    size: int

    def peek(self, size: int) -> ImagePeek:
        """Returns the first `size` bytes of the range."""
        return ImagePeek(self._read(min(size, self.size)), self.size, 0)

    def read(self) -> bytes:
        """Returns the bytes of the range."""
        return self._read(self.size)

    def _read(self, size: int) -> bytes:
        with open(self.path, "rb", buffering=0) as file:
            return os.pread(file.fileno(), size, self.offset)


class DataRoot:
    """The folder under which the image paths of an input are resolved, and never outside it.

    Args:
        folder: the data root.

    Raises:
        InputError: there is no such folder.
    """

    def __init__(self, folder: str | Path) -> None:
        if not os.path.isdir(folder):
            raise InputError(f"data root {folder} is not a folder")
        self.folder = os.path.realpath(folder)
        self._real_folders: dict[str, str] = {}

    def image(self, name: str) -> FileImage:
        """Returns the image that a record names.

        Raises:
            SampleError: the name is a URL, or leads outside the data root.
        """
        if "://" in name or name.startswith("data:"):
            raise SampleError(
                RejectReason.MISSING_IMAGE, f"{name[:80]!r} is a URL; download images first"
            )
        if "\0" in name or not name:
            raise SampleError(RejectReason.UNSAFE_PATH, f"{name!r} is not a path")
        folder, base = os.path.split(os.path.join(self.folder, name))
        # Following links is one system call a path component: once a folder, not once an image.
        real = self._real_folders.get(folder)
        if real is None:
            real = self._real_folders[folder] = os.path.realpath(folder)
        path = os.path.join(real, base)
        if base in ("", ".", "..") or os.path.islink(path):
            path = os.path.realpath(path)
        if os.path.commonpath((self.folder, path)) != self.folder:
            raise SampleError(
                RejectReason.UNSAFE_PATH, f"{name!r} leads outside the data root (--data-root)"
            )
        return FileImage(path)


def image_size(image: bytes | ImageRef) -> tuple[int, int]:
    """Returns width and height in pixels, as displayed, from the header alone.

    Raises:
        SampleError: the header cannot be read.
    """
    data = image if isinstance(image, bytes) else image.read()
    header = read_header(data)
    return header.width, header.height


def read_header(data: bytes, *, max_pixels: int = MAX_PIXELS) -> ImageHeader:
    """Reads an image's format and size without decoding a pixel.

    Args:
        data: the encoded file, or as much of its beginning as holds the header.
        max_pixels: largest width x height accepted.

    Raises:
        SampleError: it is not a readable JPEG, PNG or WebP, or it is larger than `max_pixels`.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            kind, (width, height) = str(image.format), image.size
            swapped = "exif" in image.info and _orientation(image) in _ORIENTATIONS_THAT_SWAP
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise SampleError(RejectReason.IMAGE_TOO_LARGE, str(error)) from None
    except (OSError, ValueError, EOFError) as error:
        raise SampleError(
            RejectReason.INVALID_IMAGE, f"not a readable JPEG, PNG or WebP file ({error})"
        ) from None
    if width * height > max_pixels:
        raise SampleError(
            RejectReason.IMAGE_TOO_LARGE,
            f"{width} x {height} = {width * height} pixels, at most {max_pixels} allowed",
        )
    return ImageHeader(kind, height, width) if swapped else ImageHeader(kind, width, height)


def check_pixels(data: bytes) -> None:
    """Decodes an image to see that all of it can be.

    Raises:
        SampleError: it cannot be decoded to the end.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            image.load()
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise SampleError(RejectReason.INVALID_IMAGE, f"cannot be decoded ({error})") from None


def _orientation(image: Image.Image) -> int | None:
    try:
        return image.getexif().get(_EXIF_ORIENTATION)
    except (SyntaxError, ValueError, OSError, EOFError):
        # Displays ignore an EXIF block that cannot be read, and so does decoding.
        return None


def _missing(path: str, why: str | None) -> SampleError:
    return SampleError(RejectReason.MISSING_IMAGE, f"{os.path.basename(path)}: {why}")
