"""WebDataset: a tar whose neighbouring members of one key are one record.

``000.jpg``, ``000.txt`` and ``000.json`` make one record with the fields ``jpg``, ``txt`` and
``json``. Its byte range runs from the header of its first member to the end of its last, so a
record is read again with one read; pass 1 reads the text and the head of the image only.
"""

from __future__ import annotations

import io
import itertools
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from packkit.errors import RejectReason, SampleError
from packkit.images import RangeImage
from packkit.schema import ImageRef
from packkit.sources.base import Fields, Record, Span
from packkit.sources.containers.json_lines import parse_object

__all__ = ["IMAGE_EXTENSIONS", "KEY", "Tar"]

IMAGE_EXTENSIONS = ("jpg", "jpeg", "png", "webp")
KEY = "__key__"


class Tar:
    """A WebDataset tar. Members that are neither image, ``txt`` nor ``json`` are left out."""

    name: ClassVar[str] = "tar"
    suffixes: ClassVar[tuple[str, ...]] = (".tar",)
    staged: ClassVar[bool] = False

    def stage(self, path: Path, copy: Path) -> None:
        """Never called: members are read by offset."""
        raise NotImplementedError("tar files are read where they stand")

    def split(self, path: Path) -> list[Span]:
        """Returns the whole file as one span: a tar has no index, only a chain of headers."""
        return [Span(0, path.stat().st_size)]

    def scan(self, path: Path, span: Span) -> Iterator[Record]:
        """Yields the records of the tar; where it breaks off, a last record says so."""

        def image(member: tarfile.TarInfo) -> ImageRef:
            return RangeImage(str(path), member.offset_data, member.size)

        end = 0
        try:
            with tarfile.open(path, "r:") as archive:
                for _, members in itertools.groupby(_members(archive), key=_key):
                    group = list(members)
                    offset = group[0].offset
                    end = _end(group[-1])
                    yield Record(offset, end - offset, 0, _fields(archive, group, image))
                _check_end(archive)
        except (tarfile.TarError, OSError) as error:
            detail = f"the tar breaks off after byte {end} ({error})"
            yield Record(end, 0, 0, SampleError(RejectReason.TRUNCATED_FILE, detail))

    def load(self, data: bytes) -> Fields:
        """Reads one record from the bytes of its members.

        Raises:
            SampleError: its json member is no JSON object, or its text no UTF-8.
        """

        def image(member: tarfile.TarInfo) -> bytes:
            return data[member.offset_data : member.offset_data + member.size]

        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            fields = _fields(archive, list(_members(archive)), image)
        if isinstance(fields, SampleError):
            raise fields
        return fields


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while (member := archive.next()) is not None:
        # The archive would keep every member of a tar of any size.
        archive.members.clear()  # type: ignore[attr-defined]
        if member.isfile():
            yield member


def _check_end(archive: tarfile.TarFile) -> None:
    """Tells the end of a tar from a broken header, which tarfile takes for one."""
    with open(str(archive.name), "rb") as file:
        file.seek(archive.offset)
        if any(file.read(tarfile.BLOCKSIZE)):
            raise tarfile.ReadError("broken member header")


def _key(member: tarfile.TarInfo) -> str:
    """Returns the name up to the first dot of its last component, as WebDataset does."""
    folder, base = os.path.split(member.name)
    return os.path.join(folder, base.partition(".")[0])


def _end(member: tarfile.TarInfo) -> int:
    blocks = -(-member.size // tarfile.BLOCKSIZE)
    return member.offset_data + blocks * tarfile.BLOCKSIZE


def _fields(
    archive: tarfile.TarFile,
    group: list[tarfile.TarInfo],
    image: Callable[[tarfile.TarInfo], bytes | ImageRef],
) -> Fields | SampleError:
    fields: dict[str, Any] = {}
    try:
        for member in group:
            extension = os.path.basename(member.name).partition(".")[2].lower()
            if extension in IMAGE_EXTENSIONS:
                fields[extension] = image(member)
            elif extension == "json":
                fields["json"] = parse_object(_read(archive, member))
            elif extension == "txt":
                fields["txt"] = _read(archive, member).decode()
    except UnicodeDecodeError as error:
        return SampleError(RejectReason.INVALID_UTF8, str(error))
    except SampleError as error:
        return error
    if fields.keys() == {"json"}:
        # A document with its images inside: other layouts read it like a line of JSON.
        fields = dict(fields["json"])
    fields[KEY] = _key(group[0])
    return fields


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    data = b"" if file is None else file.read()
    if len(data) != member.size:
        raise tarfile.ReadError("unexpected end of data")
    return data
