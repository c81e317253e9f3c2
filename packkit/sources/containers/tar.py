"""WebDataset: a tar whose neighbouring members of one key are one record.

``000.jpg``, ``000.txt`` and ``000.json`` make one record with the fields ``jpg``, ``txt`` and
``json``; a key ends at the first dot of a name, so ``scan.0.jpg`` is the field ``0.jpg`` of the key
``scan``. Where that would make one record of many samples, the tar is refused. A record's byte
range runs from the header of its first member to the end of its last, so it is read again with one
read; pass 1 reads the text and the head of the image only. Members of one key that do not stand
together are records of their own: nothing is kept to wait for a partner.

Tars may be joined: a header after the end of a tar, where tar's own padding ends, begins another.
Whatever else follows an end, a hole of zeros among it, is not read, and that is told.
"""

from __future__ import annotations

import io
import itertools
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, ClassVar, NamedTuple

from packkit.base import reads
from packkit.base.errors import RejectReason, SampleError, UnreadError, invalid_sample
from packkit.images import ImageRef, RangeImage
from packkit.sources.base import Fields, Record, Span, too_large
from packkit.sources.containers.json_lines import parse_value

KEY = "__key__"

IMAGE_EXTENSIONS = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff")
"""Endings of images."""
_JSON_TYPES = (dict, list, str, int, float, type(None))

# What tarfile lets escape on a broken header, or on hundreds of headers for one member.
_BROKEN = (tarfile.TarError, ValueError, IndexError, OverflowError, RecursionError)

# Names and the like that stand in headers of their own.
_MOST_HEADER_BYTES = 1 << 20


class _Member(NamedTuple):
    """A file in the tar: the parts of its name, its header, and the first byte after it."""

    key: str
    extension: str
    info: tarfile.TarInfo
    end: int


_ImageReader = Callable[[tarfile.TarInfo], bytes | ImageRef]


class Tar:
    """A WebDataset tar.

    ``txt`` is text and ``json`` is JSON; every other member is a reference to its bytes, which a
    layout may read. Hidden files and names without a dot are left out, as WebDataset does.
    """

    name: ClassVar[str] = "tar"
    suffixes: ClassVar[tuple[str, ...]] = (".tar",)
    first_keys: ClassVar[tuple[str, ...]] = ()
    in_folders: ClassVar[bool] = True
    staged: ClassVar[bool] = False
    layouts: ClassVar[tuple[str, ...]] = ()

    def split(self, path: Path) -> list[Span]:
        """Returns the whole file as one span: a tar has no index, only a chain of headers."""
        return [Span(0, path.stat().st_size)]

    def scan(self, path: Path, span: Span) -> Iterator[Record]:
        """Yields the records of the tar; where it breaks off, a last record says so."""

        def image(info: tarfile.TarInfo) -> ImageRef:
            return RangeImage(str(path), info.offset_data, info.size)

        end = 0
        try:
            with open(path, "rb") as raw:
                file = _HeaderFile(raw)
                for members in _groups(file, ends=True):
                    offset, end = members[0].info.offset, members[-1].end
                    yield Record(offset, end - offset, 0, _fields(file, members, image))
        except _BROKEN as error:
            unread = span.stop - end
            detail = f"the tar breaks off after byte {end} ({_message(error)})"
            yield Record(end, unread, 0, UnreadError(unread, detail))

    def load(self, data: bytes) -> Fields:
        """Reads one record from the bytes of its members.

        Raises:
            SampleError: The bytes are not members of a tar, or not those of one record.
        """

        def image(info: tarfile.TarInfo) -> bytes:
            return data[info.offset_data : info.offset_data + info.size]

        try:
            file = _HeaderFile(io.BytesIO(data))
            fields = _fields(file, list(itertools.chain(*_groups(file, ends=False))), image)
        except _BROKEN as error:
            detail = f"a broken tar ({_message(error)})"
            raise SampleError(RejectReason.TRUNCATED_FILE, detail) from None
        if isinstance(fields, SampleError):
            raise fields
        return fields


class _HeaderFile:
    """A file as tarfile reads it, which believes whatever sizes and places a header states."""

    def __init__(self, raw: IO[bytes]) -> None:
        self.raw = raw
        self.tell = raw.tell
        self._size = raw.seek(0, os.SEEK_END)

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _MOST_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self.raw.read(size)

    def seek(self, offset: int) -> int:
        if not 0 <= offset <= self._size:
            raise tarfile.ReadError(f"a header leads to byte {offset}")
        return self.raw.seek(offset)


def _groups(file: _HeaderFile, *, ends: bool) -> Iterator[list[_Member]]:
    """Yields neighbouring members of one key, of a tar and of all that were joined to it.

    Args:
        file: The tars.
        ends: Whether they must end as tars do; the bytes of one record do not.

    Raises:
        tarfile.ReadError: The file is damaged, or cut off.
    """
    start: int | None = 0
    while start is not None:
        file.raw.seek(start)
        opened: Any = file
        with tarfile.open(fileobj=opened, mode="r:", encoding="utf-8") as archive:
            for _, group in itertools.groupby(
                _members(archive, start, ends=ends), lambda member: member.key
            ):
                yield list(group)
            start = _next_tar(file.raw, start, archive.offset) if ends else None


def _next_tar(raw: IO[bytes], start: int, end: int) -> int | None:
    """Returns where another tar begins after the end of one.

    Raises:
        tarfile.ReadError: Something else stands there.
    """
    raw.seek(end)
    for offset in itertools.count(end, tarfile.BLOCKSIZE):
        block = raw.read(tarfile.BLOCKSIZE)
        if not block:
            return None
        if block.strip(b"\0"):
            if (offset - start) % tarfile.RECORDSIZE == 0 and _is_header(block):
                return offset
            raise tarfile.ReadError(f"data at byte {offset} follows the end of the tar")
    return None


def _is_header(block: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _members(archive: tarfile.TarFile, start: int, *, ends: bool) -> Iterator[_Member]:
    """Yields the members of one tar, which begins at a byte of its file."""
    last = start - 1
    while (info := archive.next()) is not None:
        if info.size < 0 or info.offset <= last:
            raise tarfile.ReadError(f"the header at byte {info.offset} states {info.size} bytes")
        last = info.offset
        # The archive would keep every member of a tar of any size.
        archive.members.clear()  # type: ignore[attr-defined]
        folder, base = os.path.split(info.name)
        stem, _, extension = base.partition(".")
        if info.isfile() and stem and extension:
            yield _Member(os.path.join(folder, stem), extension.lower(), info, archive.offset)
    # tarfile takes a broken header for the end, and a missing one. It may be that of another member
    # of the last key, so it must be told before that key's record is thought whole.
    file: Any = archive.fileobj
    file.raw.seek(archive.offset)
    block = file.raw.read(tarfile.BLOCKSIZE)
    if block.strip(b"\0"):
        raise tarfile.ReadError(f"a broken header at byte {archive.offset}")
    if ends and not block:
        raise tarfile.ReadError("the zeros that end a tar are missing")


def _message(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "hundreds of headers for one member"
    return str(error)


def _fields(file: _HeaderFile, members: list[_Member], image: _ImageReader) -> Fields | SampleError:
    """Returns the fields of a record, or why they cannot be read."""
    fields: dict[str, Any] = {}
    try:
        key = _common_key(members)
        _check_one_sample(key, members)
        for member in members:
            if member.extension in fields:
                raise invalid_sample(f"key {key!r} has two members {member.extension!r}")
            fields[member.extension] = _field(file.raw, member, image)
    except SampleError as error:
        return error
    if fields.keys() == {"json"} and isinstance(fields["json"], dict):
        # A document with its images inside: other layouts read it like a line of JSON.
        fields = dict(fields["json"])
    fields[KEY] = key
    return fields


def has_members(fields: Fields) -> bool:
    """Whether a record is the members of a tar, and not the one object that a member holds."""
    values = fields.values() if KEY in fields else ()
    return any(not isinstance(value, _JSON_TYPES) for value in values)


def ending(name: str) -> str:
    """Returns the last part of a member's ending, which says what it holds.

    >>> ending("0000.jpg"), ending("txt")
    ('jpg', 'txt')
    """
    return name.rpartition(".")[2]


def _check_one_sample(key: str, members: list[_Member]) -> None:
    """Checks that a key stands for one sample, whose text is one member and whose JSON is one.

    Raises:
        UnreadError: Several have the key.
    """
    for kind in ("txt", "json"):
        by_extension = {
            member.extension: member.info.name
            for member in members
            if ending(member.extension) == kind
        }
        names = list(by_extension.values())
        if len(names) > 1:
            size = members[-1].end - members[0].info.offset
            raise UnreadError(
                size,
                f"{len(names)} members such as {names[0]!r} and {names[1]!r} have the key {key!r}, "
                "which ends at the first dot of a name, as in WebDataset: rename them",
            )


def _common_key(members: list[_Member]) -> str:
    keys = {member.key for member in members}
    if len(keys) != 1:
        raise invalid_sample(f"{len(keys)} keys in one record")
    (key,) = keys
    try:
        key.encode()
    except UnicodeEncodeError:
        raise SampleError(RejectReason.INVALID_UTF8, f"member name {key!r}") from None
    return key


def _field(file: IO[bytes], member: _Member, image: _ImageReader) -> object:
    if member.info.issparse():
        raise invalid_sample(f"{member.info.name!r} is stored as a sparse file")
    kind = ending(member.extension)
    if kind not in ("txt", "json"):
        return image(member.info)
    if member.info.size > reads.MAX_RECORD_BYTES:
        raise too_large(member.info.size)
    file.seek(member.info.offset_data)
    data = file.read(member.info.size)
    if len(data) != member.info.size:
        raise tarfile.ReadError("unexpected end of data")
    if kind == "json":
        return parse_value(data)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise SampleError(RejectReason.INVALID_UTF8, str(error)) from None
