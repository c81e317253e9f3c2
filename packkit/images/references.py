"""Where image files stand, and how their bytes are read.

Nothing here decodes a pixel. A file costs one open, one fstat and one pread. What is larger than
`MAX_RECORD_BYTES` is no image that can be packed, and is not read.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import pybase64

from packkit.base import reads
from packkit.base.errors import RejectReason, SampleError
from packkit.base.files import names_in_errors
from packkit.base.reads import read_range
from packkit.images.headers import HEAD_BYTES, MAX_PIXELS, ImageHeader, read_header

# Errors that the name of an image can cause. A disk that fails or a process without descriptors
# is no fault of the record: such errors end the run, which can be started again.
_FAULTS_OF_THE_NAME = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EACCES,
        errno.EPERM,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENXIO,
    }
)


class ImagePeek(NamedTuple):
    """What is known of an image file without reading all of it.

    Attributes:
        head: First bytes of the file; all of them where they had to be read anyway.
        size: Size of the whole file, bytes.
        mtime_ns: Modification time, nanoseconds; 0 where it is not a file of its own.
    """

    head: bytes
    size: int
    mtime_ns: int


class ImageRef(Protocol):
    """An image file that stands somewhere else and is read when it is needed."""

    def peek(self, size: int) -> ImagePeek:
        """Returns at least the first `size` bytes, where the file has as many.

        Raises:
            SampleError: The image cannot be read.
        """

    def read(self) -> bytes:
        """Returns the bytes of the image file.

        Raises:
            SampleError: The image cannot be read.
        """


@dataclass(frozen=True, slots=True)
class Base64Image:
    """An image file that stands in its record as base64.

    Attributes:
        text: Standard base64 with padding.
    """

    text: str

    def peek(self, size: int) -> ImagePeek:
        """Returns all bytes: base64 is only known to be sound once it is decoded.

        Raises:
            SampleError: `text` is not standard base64.
        """
        data = self.read()
        return ImagePeek(data, len(data), 0)

    def read(self) -> bytes:
        """Returns the decoded bytes.

        Raises:
            SampleError: `text` is not standard base64.
        """
        try:
            # Without validate=True everything outside the alphabet is skipped in silence.
            return pybase64.b64decode(self.text, validate=True)
        except ValueError as error:
            raise SampleError(RejectReason.INVALID_BASE64, str(error)) from None


@dataclass(frozen=True, slots=True)
class FileImage:
    """An image that is a file of its own.

    Attributes:
        path: Path of the file.
    """

    path: str

    def peek(self, size: int) -> ImagePeek:
        """Returns the first `size` bytes and the file's size and time.

        Raises:
            SampleError: There is no such regular file, or it is too large or yields too little.
        """
        return self._read(size)

    def read(self) -> bytes:
        """Returns the bytes of the file.

        Raises:
            SampleError: There is no such regular file.
        """
        return self._read(None).head

    def read_all(self) -> ImagePeek:
        """Returns all bytes with the size and time of the file they were read from.

        Raises:
            SampleError: There is no such regular file.
        """
        return self._read(None)

    def _read(self, size: int | None) -> ImagePeek:
        try:
            # O_NONBLOCK: opening a pipe that someone left in a data folder must not hang.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno not in _FAULTS_OF_THE_NAME:
                raise
            raise self._missing(str(error.strerror)) from None
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise self._missing("not a regular file")
            _check_size(status.st_size)
            wanted = status.st_size if size is None else min(size, status.st_size)
            with names_in_errors(self.path):
                data = read_range(descriptor, 0, wanted)
        finally:
            os.close(descriptor)
        if len(data) < wanted:
            detail = f"{os.path.basename(self.path)}: {len(data)} of {wanted} bytes can be read"
            raise SampleError(RejectReason.TRUNCATED_FILE, detail)
        return ImagePeek(data, status.st_size, status.st_mtime_ns)

    def _missing(self, why: str) -> SampleError:
        return SampleError(RejectReason.MISSING_IMAGE, f"{os.path.basename(self.path)}: {why}")


@dataclass(frozen=True, slots=True)
class RangeImage:
    """An image that is a byte range of a larger file.

    Attributes:
        path: Path of the larger file.
        offset: First byte of the image in that file.
        size: Length of the image, bytes.
    """

    path: str
    offset: int
    size: int

    def peek(self, size: int) -> ImagePeek:
        """Returns the first `size` bytes of the range.

        Raises:
            SampleError: The file ends inside the range.
        """
        return ImagePeek(self._read(min(size, self.size)), self.size, 0)

    def read(self) -> bytes:
        """Returns the bytes of the range.

        Raises:
            SampleError: The file ends inside the range.
        """
        return self._read(self.size)

    def _read(self, size: int) -> bytes:
        _check_size(self.size)
        with names_in_errors(self.path), open(self.path, "rb", buffering=0) as file:
            data = read_range(file.fileno(), self.offset, size)
        if len(data) < size:
            raise SampleError(
                RejectReason.TRUNCATED_FILE,
                f"an image of {self.size} bytes at byte {self.offset} is cut off",
            )
        return data


def _check_size(size: int) -> None:
    if size > reads.MAX_RECORD_BYTES:
        detail = f"an image of {size} bytes, more than {reads.MAX_RECORD_BYTES}"
        raise SampleError(RejectReason.IMAGE_TOO_LARGE, detail)


def peek_header(
    image: bytes | ImageRef, *, max_pixels: int = MAX_PIXELS
) -> tuple[ImagePeek, ImageHeader]:
    """Returns the beginning of an image file and what its header says.

    Args:
        image: The encoded file, or a reference to it.
        max_pixels: Largest width x height accepted.

    Raises:
        SampleError: The image cannot be read, or it is larger than `max_pixels`.
    """
    if isinstance(image, bytes):
        return ImagePeek(image, len(image), 0), read_header(image, max_pixels=max_pixels)
    peek = image.peek(HEAD_BYTES)
    try:
        return peek, read_header(peek.head, max_pixels=max_pixels)
    except SampleError as error:
        if error.reason is not RejectReason.INVALID_IMAGE:
            raise
    # The header may be longer than what was read of it.
    return peek, read_header(image.read(), max_pixels=max_pixels)


def image_size(image: bytes | ImageRef) -> tuple[int, int]:
    """Returns width and height in pixels, as displayed, from the header alone.

    Raises:
        SampleError: The header cannot be read.
    """
    data = image if isinstance(image, bytes) else image.read()
    header = read_header(data)
    return header.width, header.height
