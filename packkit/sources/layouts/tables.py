"""Tables: a row with an image and a caption, or with an image, a question and an answer.

Parquet files and JSON lines with such columns read alike. ``columns={"text": "report"}`` names a
column that is called otherwise.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from itertools import takewhile
from typing import Any, ClassVar

from packkit.base.errors import RejectReason, SampleError, invalid_sample
from packkit.images import DataRoot, ImageRef
from packkit.samples import Message, Sample
from packkit.samples.sample_json import kind_of
from packkit.sources.base import Fields, id_from_field, image_from_field, rest_as_meta
from packkit.sources.containers.tar import has_members
from packkit.sources.turns import placed
from packkit.sources.unused import check_parts_read

_IMAGE_NAMES = (
    *("image", "images", "image_path", "img_path", "file_name", "filepath", "image_name"),
    *("image_file", "img"),
)
_ID_NAMES = ("id", "image_id", "key", "uid", "qid", "question_id", "index", "__key__")
# A letter that is a word of a key.
_LETTER = re.compile("(?<![A-Za-z])[A-Z](?![A-Za-z])")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class _Table:
    """Finds the columns of a row by role."""

    _names: ClassVar[Mapping[str, tuple[str, ...]]]
    _optional: ClassVar[frozenset[str]] = frozenset({"id"})

    def __init__(self, columns: Mapping[str, str]) -> None:
        self._columns = columns

    def matches(self, fields: Fields) -> bool:
        """Whether the row has a column for every role that it needs."""
        needed = (role for role in self._names if role not in self._optional)
        return all(self._column(role, fields) for role in needed) and not has_members(fields)

    def _column(self, role: str, fields: Fields) -> str | None:
        if role in self._columns:
            return self._columns[role] if self._columns[role] in fields else None
        return next((name for name in self._names[role] if name in fields), None)

    def _value(self, role: str, fields: Fields) -> Any:  # noqa: ANN401
        column = self._column(role, fields)
        return None if column is None else fields[column]

    def _text(self, role: str, fields: Fields) -> str:
        return self._as_text(role, self._value(role, fields))

    def _as_text(self, role: str, value: object) -> str:
        """Returns the text of a cell; an answer that is a number is its digits."""
        if role == "answer" and isinstance(value, int | float) and not isinstance(value, bool):
            # Tables with a gap in a column of whole numbers have fractions throughout.
            return str(int(value) if float(value).is_integer() else value)
        if isinstance(value, str) and value.strip():
            return value
        columns = self._columns.get(role) or " or ".join(self._names[role])
        if value is None or isinstance(value, str):
            raise SampleError(RejectReason.EMPTY_TEXT, f"no {role} in column {columns}")
        raise invalid_sample(f"column {columns} must hold text, got {kind_of(value)}")

    def _images(self, fields: Fields, root: DataRoot) -> tuple[bytes | ImageRef, ...]:
        value = self._value("image", fields)
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
    """Rows with ``image`` and ``text``: a document of the image, then its caption.

    Where there are several captions the first is trained; all of them are kept in ``meta``.
    """

    name: ClassVar[str] = "caption"
    _names: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "image": _IMAGE_NAMES,
        "text": ("text", "caption", "title", "captions"),
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
        text, rest = self._value("text", fields), self._rest(fields)
        if isinstance(text, list):
            if len(text) > 1:
                rest["meta"][self._column("text", fields)] = text
            text = text[0] if text else None
        content = placed(self._as_text("text", text), len(images))
        return Sample(content=content, images=images, **rest)


class VqaLayout(_Table):
    """Rows with ``image``, ``question`` and ``answer``: a conversation of two turns.

    Of several answers the one that most people gave is trained, the first of those; all are kept
    in ``meta``. With ``choices``, or columns ``A``, ``B`` and so on, the question lists them by
    letters, and the answer is a letter. A ``hint`` stands before the question.
    """

    name: ClassVar[str] = "vqa"
    _names: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "image": _IMAGE_NAMES,
        "question": ("question",),
        "answer": ("answer", "answers"),
        "choices": ("choices", "options"),
        "hint": ("hint",),
        "id": _ID_NAMES,
    }
    _optional: ClassVar[frozenset[str]] = frozenset({"id", "choices", "hint"})
    roles: ClassVar[tuple[str, ...]] = tuple(_names)

    def to_sample(self, fields: Fields, root: DataRoot) -> Sample:
        """Reads a question and its answer.

        Raises:
            SampleError: Image, question or answer is missing, or the answer is none of the choices.
        """
        images = self._images(fields, root)
        asked, rest = self._text("question", fields), self._rest(fields)
        if self._value("hint", fields):
            asked = f"{self._text('hint', fields)}\n{asked}"
        texts = self._choices(fields, rest["meta"])
        check_parts_read(rest["meta"], ("choices", "options", "hint"))
        if texts:
            lines = (f"{letter}. {text}" for letter, text in zip(_LETTERS, texts, strict=False))
            asked = "\n".join([asked, *lines])
            answer = _letter(self._value("answer", fields), texts)
        else:
            answer = self._answer(fields, rest["meta"])
        messages = (
            Message("user", placed(asked, len(images))),
            Message("assistant", (answer,)),
        )
        return Sample(messages=messages, images=images, **rest)

    def _choices(self, fields: Fields, meta: dict[str, Any]) -> list[str]:
        """Returns the texts of the choices; columns of letters are no ``meta`` then.

        Raises:
            SampleError: They are no list of texts.
        """
        choices = self._value("choices", fields)
        if choices:
            return _choice_texts(choices)
        lettered = list(takewhile(lambda letter: meta.get(letter) not in (None, ""), _LETTERS))
        texts = [meta.pop(letter) for letter in lettered] if len(lettered) > 1 else []
        for key in meta:
            if _LETTER.search(key) and isinstance(meta[key], str):
                raise SampleError(
                    RejectReason.UNUSED_PROMPT, f"the key {key!r}, as of a choice, is not read"
                )
        return _choice_texts(texts) if texts else []

    def _answer(self, fields: Fields, meta: dict[str, Any]) -> str:
        value = self._value("answer", fields)
        if not isinstance(value, list):
            return self._as_text("answer", value)
        texts = [
            self._as_text("answer", item["answer"] if _has_answer(item) else item) for item in value
        ]
        if not texts:
            return self._as_text("answer", None)
        if len(texts) > 1:
            meta[str(self._column("answer", fields))] = value
        return Counter(texts).most_common(1)[0][0]


def _has_answer(item: object) -> bool:
    """Whether an answer is one of VQAv2, with who gave it and how sure they are."""
    return isinstance(item, Mapping) and "answer" in item


def _choice_texts(choices: object) -> list[str]:
    if isinstance(choices, Mapping) and [*choices] == [*_LETTERS[: len(choices)]]:
        choices = [*choices.values()]
    texts = choices if isinstance(choices, list) else None
    if not texts or len(texts) > len(_LETTERS) or not all(isinstance(t, str) and t for t in texts):
        raise invalid_sample(
            f"choices must be a list of 1 to {len(_LETTERS)} texts, got {kind_of(choices)}"
        )
    return texts


def _letter(answer: object, choices: list[str]) -> str:
    """Returns the letter of the right choice, which is named by number, by letter or by text."""
    letters = _LETTERS[: len(choices)]
    match answer:
        case bool():
            pass
        # Tables with a gap in a column of whole numbers have fractions throughout.
        case float(number) if number.is_integer() and 0 <= number < len(choices):
            return letters[int(number)]
        case int(number) if 0 <= number < len(choices):
            return letters[number]
        case str(text) if choices.count(text) == 1:
            return letters[choices.index(text)]
        case str(text) if len(text.strip()) == 1 and text.strip().upper() in letters:
            return text.strip().upper()
    raise invalid_sample(
        f"the answer must be one of the {len(choices)} choices, got {answer!r:.80}"
    )
