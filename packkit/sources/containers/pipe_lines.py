"""Lines of fields with bars between: the text files of VQA-Med-2019."""

from __future__ import annotations

from typing import ClassVar

from packkit.base.errors import RejectReason, SampleError, invalid_sample
from packkit.sources.base import Fields
from packkit.sources.containers.json_lines import JsonLines

_CATEGORY_WORDS = 2
_LEAST_BARS = 2


class PipeLines(JsonLines):
    """A file with ``image_id|question|answer`` a line, or ``image_id|category|question|answer``.

    A category is a word or two, such as ``organ``: that tells it from a question that is followed
    by an answer with a bar in it. Any file may be called ``.txt``, so those in a folder are not
    read.
    """

    name: ClassVar[str] = "pipe-lines"
    suffixes: ClassVar[tuple[str, ...]] = (".txt",)
    in_folders: ClassVar[bool] = False

    def is_cut(self, line: bytes) -> bool:
        """Whether a last line without a line break, which is no record, begins one."""
        return line.count(b"|") < _LEAST_BARS

    def load(self, data: bytes) -> Fields:
        """Parses one line; white space around a field is no part of it.

        Raises:
            SampleError: The line is not UTF-8, or has another number of fields.
        """
        try:
            values = [value.strip() for value in data.decode().split("|")]
        except UnicodeDecodeError as error:
            raise SampleError(RejectReason.INVALID_UTF8, str(error)) from None
        match values:
            case [image, question, answer]:
                return {"image_id": image, "question": question, "answer": answer}
            case [image, category, question, answer] if (
                0 < len(category.split()) <= _CATEGORY_WORDS
            ):
                return {
                    "image_id": image,
                    "category": category,
                    "question": question,
                    "answer": answer,
                }
        raise invalid_sample(
            "a line must be image_id|question|answer or image_id|category|question|answer, "
            f"got {len(values)} fields"
        )
