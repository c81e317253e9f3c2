"""The protocols of containers and layouts, and what layouts share to read fields.

A **container** knows how records lie in a file: JSON lines, one JSON array, a tar, Parquet. It
turns bytes into fields, and every record it yields can be read again by its byte range. A
**layout** knows what a record's fields mean: LLaVA conversations, captions, questions and answers.
It turns fields into a `Sample`. Only layouts know markers such as ``<image>``.

To add either, write one class and name it in the table of `packkit.sources.registry`; another
package names its class under the entry points ``packkit.containers`` or ``packkit.layouts``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, TypeGuard

from packkit.base import reads
from packkit.base.errors import RejectReason, SampleError, invalid_sample
from packkit.images import Base64Image, DataRoot, ImageRef
from packkit.samples import Sample

_PATH_CHARACTERS = 4096
_DATA_URL = re.compile(r"data:[\w.+/-]*(?:;[\w.=+-]+)*;base64,", re.ASCII)
_URL_SAFE = str.maketrans("-_", "+/")

Fields = Mapping[str, Any]
"""One record as its container gives it: JSON values, text, and images as bytes or references."""


class Span(NamedTuple):
    """A byte range of a file that begins and ends between records: one task of pass 1.

    Attributes:
        start: First byte of the range.
        stop: First byte after the range.
    """

    start: int
    stop: int


class Record(NamedTuple):
    """One record of a file.

    Attributes:
        offset: First byte of the record in the file.
        size: Number of bytes in the file.
        checksum: Xxh3_64 of those bytes; 0 where pass 1 does not read all of them.
        fields: The fields of the record, or why they cannot be read; an `UnreadError` where the
            bytes may hold any number of records.
    """

    offset: int
    size: int
    checksum: int
    fields: Fields | SampleError


def too_large(size: int) -> SampleError:
    """Returns the error of a record that is too large to be held."""
    return invalid_sample(f"a record of {size} bytes, more than {reads.MAX_RECORD_BYTES}")


class Container(Protocol):
    """How records lie in one kind of file."""

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    """File name endings, lower case, such as ``.jsonl``."""
    first_keys: ClassVar[tuple[str, ...]]
    """First keys of a ``.json`` file that is one object, where its value is an array."""
    in_folders: ClassVar[bool]
    """Whether files with these endings are inputs where a folder is named. Not so for endings that
    any file may have: such files are read when they are named themselves, or by a glob."""
    staged: ClassVar[bool]
    """Whether records cannot be read by offset; it is a `StagedContainer` then, and only then."""
    layouts: ClassVar[tuple[str, ...]]
    """Layouts of its records, of which the last reads what no other does; none: any may."""

    def split(self, path: Path) -> list[Span]:
        """Cuts a file into spans of bounded size; a pure function of its bytes."""

    def scan(self, path: Path, span: Span) -> Iterator[Record]:
        """Yields the records of a span in order, reading images by reference where it can."""

    def load(self, data: bytes) -> Fields:
        """Reads one record from its bytes.

        Raises:
            SampleError: The bytes are not a record.
        """


class StagedContainer(Container, Protocol):
    """How records lie in a kind of file that is copied once, to be read by offset."""

    def stage(self, path: Path, copy: Path) -> None:
        """Writes the records of `path` to `copy`, which `split`, `scan` and `load` then read."""


def is_staged(container: Container) -> TypeGuard[StagedContainer]:
    """Whether the files of a container are copied before they are read."""
    return container.staged


class Layout(Protocol):
    """What the fields of a record mean.

    What a layout does not read it leaves in the sample's ``meta``, where `check_all_read` looks at
    it.
    """

    name: ClassVar[str]
    roles: ClassVar[tuple[str, ...]]
    """Roles whose field the option `columns` may name; none where the layout fixes its fields."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        """Takes the option `columns`: role in the layout -> name of the field."""

    def matches(self, fields: Fields) -> bool:
        """Whether the fields look like a record of this layout."""

    def to_sample(self, fields: Fields, root: DataRoot) -> Sample:
        """Reads a sample.

        Args:
            fields: The record as its container gives it.
            root: The folder under which image paths are resolved.

        Raises:
            SampleError: The record does not make a legal sample.
        """


class FixedLayout:
    """Base of layouts whose fields always have the same names, so that there are no columns."""

    roles: ClassVar[tuple[str, ...]] = ()

    def __init__(self, columns: Mapping[str, str]) -> None:
        """Takes the option `columns`, which is empty."""


def id_from_field(fields: Fields, name: str) -> str | None:
    """Returns the id that a field holds, numbers as text; None where there is none."""
    value = fields.get(name)
    return None if value is None else str(value)


def text_from_field(fields: Fields, name: str) -> str:
    """Returns the text that a field holds, as it stands.

    Raises:
        SampleError: The field holds no text, or nothing but white space.
    """
    value = fields.get(name)
    if isinstance(value, str) and value.strip():
        return value
    if value is None or isinstance(value, str):
        raise SampleError(RejectReason.EMPTY_TEXT, f"no text in field {name}")
    raise invalid_sample(f"field {name} must hold text, got {type(value).__name__}")


def image_from_field(value: object, root: DataRoot) -> bytes | ImageRef:
    """Returns the image that a field holds: bytes, base64, a path, or Hugging Face's struct.

    A string with a dot or a colon is a path or a URL, since base64 has neither. Base64 may stand
    in a data URL, in lines, without padding, or in the alphabet of URLs.

    Raises:
        SampleError: The field is empty, or its value is nothing that an image can be.
    """
    match value:
        case bytes() if value:
            return value
        case {"bytes": bytes(data)} if data:
            return data
        case {"bytes": str(text)} if text:
            return _base64_image(text)
        case {"path": str(path)} if path:
            return root.image(path)
        case str() if data_url := _DATA_URL.match(value):
            return _base64_image(value[data_url.end() :])
        case str() if value:
            # Only the beginning is searched: base64 can be long, and paths cannot.
            head = value[:_PATH_CHARACTERS]
            is_name = "." in head or ":" in head or (root.suffix and len(value) == len(head))
            return root.image(value) if is_name else _base64_image(value)
        case None | "" | b"" | {"bytes": None | "" | b""} | {"path": None | ""}:
            raise SampleError(RejectReason.MISSING_IMAGE, "the image field is empty")
        case list() | dict() | int() | float():
            raise invalid_sample(
                f"an image must be base64, a path or {{bytes, path}}, got {type(value).__name__}"
            )
    # What remains is a reference made by the container itself.
    return value  # type: ignore[return-value]


def _base64_image(text: str) -> Base64Image:
    """Returns an image in standard base64, which is how packs hold it."""
    if "\n" in text or "\r" in text:
        text = "".join(text.split())
    if "-" in text or "_" in text:
        text = text.translate(_URL_SAFE)
    return Base64Image(text + "=" * (-len(text) % 4))


def add_text(content: list[str | None], text: str, between: str) -> None:
    """Adds text to the parts of a document; what follows other text becomes one part with it.

    Args:
        content: The parts so far; the list is changed.
        text: Text that comes next; nothing is added where it is empty.
        between: Separator from text that stands right before.
    """
    if text and content and content[-1] is not None:
        content[-1] += between + text
    elif text:
        content.append(text)


def rest_as_meta(fields: Fields, used: set[str]) -> dict[str, Any]:
    """Returns the fields that a layout did not use, so that nothing that a record holds is lost.

    Nulls are left out, and names that begin with two underscores, which containers and pandas add.
    """
    return {
        key: value
        for key, value in fields.items()
        if key not in used and value is not None and not key.startswith("__")
    }
