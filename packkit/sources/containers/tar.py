"""WebDataset: a tar whose neighbouring members of one key are one record.

``000.jpg``, ``000.txt`` and ``000.json`` make one record with the fields ``jpg``, ``txt`` and
``json``; a key ends at the first dot of a name. A record's byte range runs from the header of its
first member to the end of its last, so it is read again with one read; pass 1 reads the text and
the head of the image only. Members of one key that do not stand together are records of their own:
nothing is kept to wait for a partner.
"""

from __future__ import annotations

import io
import itertools
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from packkit.base.errors import RejectReason, SampleError, invalid_sample
from packkit.images import ImageRef, RangeImage
from packkit.sources.base import Fields, Record, Span
from packkit.sources.containers.json_lines import parse_object

IMAGE_EXTENSIONS = ("jpg", "jpeg", "png", "webp")
KEY = "__key__"

_EXTENSIONS = frozenset({*IMAGE_EXTENSIONS, "json", "txt"})
# What tarfile lets escape on a broken header; one that states an absurd size exhausts memory.
_BROKEN = (tarfile.TarError, ValueError, IndexError, OverflowError, MemoryError)


class _Member(NamedTuple):
    """A file in the tar: the parts of its name, its header, and the first byte after it."""

    key: str
    extension: str
    info: tarfile.TarInfo
    end: int


_ImageReader = Callable[[tarfile.TarInfo], bytes | ImageRef]


class Tar:
    """A WebDataset tar.

    Members that are neither image, ``txt`` nor ``json`` are left out, and so are hidden files and
    names without a dot, as WebDataset leaves them out.
    """

    name: ClassVar[str] = "tar"
    suffixes: ClassVar[tuple[str, ...]] = (".tar",)
    first_keys: ClassVar[tuple[str, ...]] = ()
    in_folders: ClassVar[bool] = True
    staged: ClassVar[bool] = False

    def split(self, path: Path) -> list[Span]:
        """Returns the whole file as one span: a tar has no index, only a chain of headers."""
        return [Span(0, path.stat().st_size)]

    def scan(self, path: Path, span: Span) -> Iterator[Record]:
        """Yields the records of the tar; where it breaks off, a last record says so."""

        def image(info: tarfile.TarInfo) -> ImageRef:
            return RangeImage(str(path), info.offset_data, info.size)

        end = 0
        try:
            with tarfile.open(path, "r:", encoding="utf-8") as archive:
                for _, group in itertools.groupby(_members(archive), lambda member: member.key):
                    members = list(group)
                    offset, end = members[0].info.offset, members[-1].end
                    yield Record(offset, end - offset, 0, _fields(archive, members, image))
                if any(block.strip(b"\0") for block in _blocks_at_end(archive)):
                    raise tarfile.ReadError("data follows the end of the tar")
        except _BROKEN as error:
            detail = f"the tar breaks off after byte {end} ({error})"
            yield Record(end, 0, 0, SampleError(RejectReason.TRUNCATED_FILE, detail))

    def load(self, data: bytes) -> Fields:
        """Reads one record from the bytes of its members.

        Raises:
            SampleError: The bytes are not members of a tar, or not those of one record.
        """

        def image(info: tarfile.TarInfo) -> bytes:
            return data[info.offset_data : info.offset_data + info.size]

        try:
            with tarfile.open(fileobj=io.BytesIO(data), mode="r:", encoding="utf-8") as archive:
                fields = _fields(archive, list(_members(archive)), image)
        except _BROKEN as error:
            raise SampleError(RejectReason.TRUNCATED_FILE, f"a broken tar ({error})") from None
        if isinstance(fields, SampleError):
            raise fields
        return fields


def _members(archive: tarfile.TarFile) -> Iterator[_Member]:
    while (info := archive.next()) is not None:
        # The archive would keep every member of a tar of any size.
        archive.members.clear()  # type: ignore[attr-defined]
        folder, base = os.path.split(info.name)
        stem, _, extension = base.partition(".")
        if info.isfile() and stem and extension:
            yield _Member(os.path.join(folder, stem), extension.lower(), info, archive.offset)
    # tarfile takes a broken header for the end. It may be that of another member of the last key,
    # so it must be told before that key's record is thought whole.
    if next(_blocks_at_end(archive), b"").strip(b"\0"):
        raise tarfile.ReadError("broken member header")


def _blocks_at_end(archive: tarfile.TarFile) -> Iterator[bytes]:
    """Yields what stands where tarfile saw the end, in blocks."""
    file: Any = archive.fileobj
    file.seek(archive.offset)
    while block := file.read(tarfile.BLOCKSIZE):
        yield block


def _fields(
    archive: tarfile.TarFile, members: list[_Member], image: _ImageReader
) -> Fields | SampleError:
    """Returns the fields of a record, or why they cannot be read."""
    fields: dict[str, Any] = {}
    try:
        key = _common_key(members)
        for member in members:
            if member.extension not in _EXTENSIONS:
                continue
            if member.extension in fields:
                raise invalid_sample(f"key {key!r} has two members {member.extension!r}")
            fields[member.extension] = _field(archive, member, image)
    except SampleError as error:
        return error
    if not fields:
        names = ", ".join(os.path.basename(member.info.name) for member in members[:3])
        return invalid_sample(f"no image, txt or json with key {key!r}, which has {names}")
    if fields.keys() == {"json"}:
        # A document with its images inside: other layouts read it like a line of JSON.
        fields = dict(fields["json"])
    fields[KEY] = key
    return fields


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


def _field(archive: tarfile.TarFile, member: _Member, image: _ImageReader) -> object:
    if member.info.issparse():
        raise invalid_sample(f"{member.info.name!r} is stored as a sparse file")
    if member.extension in IMAGE_EXTENSIONS:
        return image(member.info)
    file: Any = archive.fileobj
    file.seek(member.info.offset_data)
    data = file.read(member.info.size)
    if len(data) != member.info.size:
        raise tarfile.ReadError("unexpected end of data")
    if member.extension == "json":
        return parse_object(data)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise SampleError(RejectReason.INVALID_UTF8, str(error)) from None
