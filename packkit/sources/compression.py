"""Compressed files: which endings there are, and the bytes inside."""

from __future__ import annotations

import gzip
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from packkit.base.errors import FormatError
from packkit.base.values import one_line

COMPRESSIONS = {
    ".gz": "gzip",
    ".bz2": "bz2",
    ".zst": "zstd",
    ".lz4": "lz4",
    ".xz": "xz",
    ".zip": "zip",
}
"""Endings of compressed files, lower case, and the compression; of a zip its one file is meant."""

# Short endings of compressed tars.
_TARS = {".tgz": ".gz", ".tbz2": ".bz2", ".tzst": ".zst", ".txz": ".xz"}

_FAILURES = (
    *(OSError, EOFError, lzma.LZMAError, zipfile.BadZipFile, zlib.error),
    # Of a zip that is encrypted, or packed in a way that Python does not know.
    *(RuntimeError, NotImplementedError),
)
_BLOCK_BYTES = 1 << 20
# The largest dictionary that xz makes at its highest level is 64 MiB.
_XZ_MEMORY = 256 << 20


def inner_name(name: str) -> str:
    """Returns a file name without the suffix of its compression.

    >>> inner_name("00000.tar.gz"), inner_name("00000.tgz")
    ('00000.tar', '00000.tar')
    """
    stem, suffix = os.path.splitext(name)
    if suffix.lower() in _TARS:
        return f"{stem}.tar"
    return stem if suffix.lower() in COMPRESSIONS else name


def decompressed(path: Path) -> Iterator[bytes]:
    """Yields the bytes inside a compressed file, also of several streams one after another.

    Raises:
        FormatError: The file is empty, damaged or cut off.
    """
    import pyarrow as pa

    suffix = path.suffix.lower()
    codec = COMPRESSIONS[_TARS.get(suffix, suffix)]
    if not path.stat().st_size:
        raise FormatError(path.name, "cannot be decompressed (no bytes at all)")
    try:
        if codec in _OWN:
            yield from _OWN[codec](path)
            return
        with pa.input_stream(str(path), compression=codec) as packed:
            while block := packed.read(_BLOCK_BYTES):
                yield block
    except (pa.ArrowException, *_FAILURES) as error:
        raise FormatError(path.name, f"cannot be decompressed ({one_line(error)})") from None


def _unpacked_gzip(path: Path) -> Iterator[bytes]:
    """Yields the bytes of all streams; Arrow takes the zeros that fill a tape for damage."""
    with gzip.open(path) as packed:
        while block := packed.read(_BLOCK_BYTES):
            yield block


def _unpacked_xz(path: Path) -> Iterator[bytes]:
    """Yields the bytes of all streams; Arrow has no xz, and lzma's file no limit of memory."""
    with open(path, "rb") as packed:
        data = packed.read(_BLOCK_BYTES)
        while data:
            unpacker = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
            while not unpacker.eof:
                if unpacker.needs_input and not data:
                    data = packed.read(_BLOCK_BYTES)
                    if not data:
                        raise EOFError("it is cut off")
                yield unpacker.decompress(data, max_length=_BLOCK_BYTES)
                data = b""
            # Zeros may fill a stream up to a multiple of four bytes.
            data = unpacker.unused_data.lstrip(b"\0")
            while not data and (data := packed.read(_BLOCK_BYTES)):
                data = data.lstrip(b"\0")


def _unpacked_zip(path: Path) -> Iterator[bytes]:
    """Yields the bytes of the one file in a zip.

    Raises:
        FormatError: There are several files, or none.
    """
    with zipfile.ZipFile(path) as archive:
        files = [info for info in archive.infolist() if _is_data(info)]
        if len(files) != 1:
            raise FormatError(path.name, f"holds {len(files)} files, must be one: unpack it")
        with archive.open(files[0]) as packed:
            while block := packed.read(_BLOCK_BYTES):
                yield block


def _is_data(info: zipfile.ZipInfo) -> bool:
    """Whether a file in a zip is not what a Mac notes of another."""
    return not info.is_dir() and not info.filename.startswith("__MACOSX/")


# What Arrow does not read, or not all of.
_OWN: Mapping[str, Callable[[Path], Iterator[bytes]]] = {
    "gzip": _unpacked_gzip,
    "xz": _unpacked_xz,
    "zip": _unpacked_zip,
}
