"""Tables: a row with an image and a caption, or with an image, a question and an answer.

Parquet files and JSON lines with such columns read alike. ``columns={"text": "report"}`` names a
column that is called otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from packkit.base.errors import RejectReason, SampleError, invalid_sample
from packkit.images import DataRoot, ImageRef
from packkit.samples import Message, Sample
from packkit.sources.base import Fields, id_from_field, image_from_field, rest_as_meta

_IMAGE_NAMES = ("image", "images", "image_path", "img_path", "file_name")
_ID_NAMES = ("id", "image_id", "key", "uid", "__key__")


class _Table:
    """Finds the columns of a row by role."""

    _names: ClassVar[Mapping[str, tuple[str, ...]]]

    def __init__(self, columns: Mapping[str, str]) -> None:
        self._columns = columns

    def matches(self, fields: Fields) -> bool:
        """Whether the row has a column for every role but the id."""
        return all(self._column(role, fields) for role in self._names if role != "id")

    def _column(self, role: str, fields: Fields) -> str | None:
        if role in self._columns:
            return self._columns[role] if self._columns[role] in fields else None
        return next((name for name in self._names[role] if name in fields), None)

    def _text(self, role: str, fields: Fields) -> str:
        column = self._column(role, fields)
        value = None if column is None else fields[column]
        if isinstance(value, str) and value.strip():
            return value
        if value is None or isinstance(value, str):
            columns = self._columns.get(role) or " or ".join(self._names[role])
            raise SampleError(RejectReason.EMPTY_TEXT, f"no {role} in column {columns}")
        raise invalid_sample(f"column {column!r} must hold text, got {type(value).__name__}")

    def _images(self, fields: Fields, root: DataRoot) -> tuple[bytes | ImageRef, ...]:
        column = self._column("image", fields)
        value = None if column is None else fields[column]
        values = value if isinstance(value, list) else [value]
        return tuple(image_from_field(item, root) for item in values)

    def _rest(self, fields: Fields) -> dict[str, Any]:
        """Returns id and meta, as arguments of `Sample`."""
        used = {column for role in self._names if (column := self._column(role, fields))}
        column = self._column("id", fields)
        return {
            "id": None if column is None else id_from_field(fields, column),
            "meta": rest_as_meta(fields, used),
        }


class CaptionLayout(_Table):
    """Rows with ``image`` and ``text``: a document of the image, then its caption."""

    name: ClassVar[str] = "caption"
    _names: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "image": _IMAGE_NAMES,
        "text": ("text", "caption"),
        "id": _ID_NAMES,
    }
    roles: ClassVar[tuple[str, ...]] = tuple(_names)

    def matches(self, fields: Fields) -> bool:
        """Whether the row has an image and a text, and is not a question with its answer."""
        is_vqa = "text" not in self._columns and VqaLayout({}).matches(fields)
        return super().matches(fields) and not is_vqa

    def to_sample(self, fields: Fields, root: DataRoot) -> Sample:
        """Reads a caption.

        Raises:
            SampleError: Image or text is missing.
        """
        images = self._images(fields, root)
        content = (None,) * len(images) + (self._text("text", fields),)
        return Sample(content=content, images=images, **self._rest(fields))


class VqaLayout(_Table):
    """Rows with ``image``, ``question`` and ``answer``: a conversation of two turns."""

    name: ClassVar[str] = "vqa"
    _names: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "image": _IMAGE_NAMES,
        "question": ("question",),
        "answer": ("answer",),
        "id": _ID_NAMES,
    }
    roles: ClassVar[tuple[str, ...]] = tuple(_names)

    def to_sample(self, fields: Fields, root: DataRoot) -> Sample:
        """Reads a question and its answer.

        Raises:
            SampleError: Image, question or answer is missing.
        """
        images = self._images(fields, root)
        question = (None,) * len(images) + (self._text("question", fields),)
        messages = (
            Message("user", question),
            Message("assistant", (self._text("answer", fields),)),
        )
        return Sample(messages=messages, images=images, **self._rest(fields))
