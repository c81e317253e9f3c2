"""Where image files stand, and how their bytes are read.

Nothing here decodes a pixel. A file costs one lstat, one open, one fstat and one pread; links
are followed once a folder.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from packkit.errors import InputError, RejectReason, SampleError
from packkit.image_headers import (
    FORMATS,
    HEAD_BYTES,
    MAX_PIXELS,
    ImageHeader,
    read_header,
)
from packkit.schema import ImagePeek, ImageRef

__all__ = [
    "FORMATS",
    "HEAD_BYTES",
    "MAX_PIXELS",
    "DataRoot",
    "FileImage",
    "ImageHeader",
    "RangeImage",
    "image_size",
    "peek_header",
    "read_header",
]

# What the name of an image can be guilty of. A disk that fails or a process without descriptors
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
            if error.errno not in _FAULTS_OF_THE_NAME:
                raise
            raise self._missing(str(error.strerror)) from None
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise self._missing("not a regular file")
            data = os.pread(descriptor, status.st_size if size is None else size, 0)
        finally:
            os.close(descriptor)
        return ImagePeek(data, status.st_size, status.st_mtime_ns)

    def _missing(self, why: str) -> SampleError:
        return SampleError(RejectReason.MISSING_IMAGE, f"{os.path.basename(self.path)}: {why}")


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
        """Returns the first `size` bytes of the range.

        Raises:
            SampleError: the file ends inside the range.
        """
        return ImagePeek(self._read(min(size, self.size)), self.size, 0)

    def read(self) -> bytes:
        """Returns the bytes of the range.

        Raises:
            SampleError: the file ends inside the range.
        """
        return self._read(self.size)

    def _read(self, size: int) -> bytes:
        with open(self.path, "rb", buffering=0) as file:
            data = os.pread(file.fileno(), size, self.offset)
        if len(data) < size:
            raise SampleError(
                RejectReason.TRUNCATED_FILE,
                f"an image of {self.size} bytes at byte {self.offset} is cut off",
            )
        return data


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
        self._prefix = os.path.join(self.folder, "")
        self._real_folders: dict[str, str] = {}
        self._within: dict[tuple[str, ...], DataRoot] = {}

    def within(self, *names: str) -> DataRoot:
        """Returns the first of these sub-folders that there is, else this folder itself.

        Archives unpack into a folder that records do not name. Images found there may not lead
        outside this data root either. The answer is kept: asking again costs no system call.

        Args:
            names: of sub-folders, by preference.
        """
        root = self._within.get(names)
        if root is None:
            folders = (os.path.join(self.folder, name) for name in names)
            found = next(filter(os.path.isdir, folders), None)
            root = self if found is None else DataRoot(found)
            root._prefix = self._prefix
            self._within[names] = root
        return root

    def image(self, name: str) -> FileImage:
        """Returns the image that a record names.

        Raises:
            SampleError: the name is a URL, or leads outside the data root.
        """
        if name.startswith("data:"):
            detail = f"{name[:40]!r} is a data URL; give what follows its comma"
            raise SampleError(RejectReason.MISSING_IMAGE, detail)
        if "://" in name:
            detail = f"{name[:80]!r} is a URL; download images first"
            raise SampleError(RejectReason.MISSING_IMAGE, detail)
        if "\0" in name or not name:
            raise SampleError(RejectReason.UNSAFE_PATH, f"{name!r} is not a path")
        folder, base = os.path.split(name)
        # Following links is one system call a path component: once a folder, not once an image.
        real = self._real_folders.get(folder)
        if real is None:
            real = os.path.realpath(os.path.join(self.folder, folder))
            self._real_folders[folder] = real
        path = os.path.join(real, base)
        if base in ("", ".", "..") or os.path.islink(path):
            path = os.path.realpath(path)
        if not path.startswith(self._prefix):
            raise SampleError(
                RejectReason.UNSAFE_PATH, f"{name!r} leads outside the data root (--data-root)"
            )
        return FileImage(path)


def peek_header(
    image: bytes | ImageRef, *, max_pixels: int = MAX_PIXELS
) -> tuple[ImagePeek, ImageHeader]:
    """Returns the beginning of an image file and what its header says.

    Args:
        image: the encoded file, or where it stands.
        max_pixels: largest width x height accepted.

    Raises:
        SampleError: the image cannot be read, or it is larger than `max_pixels`.
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
        SampleError: the header cannot be read.
    """
    data = image if isinstance(image, bytes) else image.read()
    header = read_header(data)
    return header.width, header.height
