"""MMMU, Health & Medicine: college exam questions of five subjects.

A folder for each subject with the Parquet files of its validation split; the answers of the test
split are not published. Options are the text of a Python list; questions and options name their
images as ``<image 1>``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from string import ascii_uppercase
from typing import ClassVar

from packkit.base.errors import InputError, RejectReason, SampleError
from packkit.infimed.evaluation.benchmarks.base import BenchmarkRecord, one_of
from packkit.infimed.evaluation.benchmarks.records import image_bytes, read_parquet, split_files
from packkit.infimed.evaluation.questions import Question, QuestionKind
from packkit.sources.base import Fields, text_from_field

SUBJECTS = (
    "Basic_Medical_Science",
    "Clinical_Medicine",
    "Diagnostics_and_Laboratory_Medicine",
    "Pharmacy",
    "Public_Health",
)

_KINDS: dict[str, QuestionKind] = {"multiple-choice": "choice", "open": "open"}
_IMAGE = re.compile(r"<image (\d+)>")


class Mmmu:
    """Rows of the five subjects; the key is the ``id``."""

    name: ClassVar[str] = "mmmu"
    title: ClassVar[str] = "MMMU"

    def __init__(self, path: Path) -> None:
        if missing := [name for name in SUBJECTS if not (path / name).is_dir()]:
            raise InputError(f"{path} holds no folder {', '.join(missing)}")
        self._files = {name: split_files(path / name, "validation") for name in SUBJECTS}

    def records(self) -> Iterator[BenchmarkRecord]:
        """Yields the rows of one subject after another."""
        for subject, paths in self._files.items():
            for record in read_parquet(paths):
                yield record._replace(part=subject)

    def question(self, record: BenchmarkRecord) -> Question:
        """Returns a question with all images that it or its options name, in their order.

        Raises:
            SampleError: A field is missing or unknown, or the answer is none of the options.
        """
        fields = record.fields
        text = text_from_field(fields, "question")
        kind = _KINDS[one_of(_KINDS, fields, "question_type")]
        options = _options(fields) if kind == "choice" else {}
        read_gold = partial(one_of, options) if kind == "choice" else text_from_field
        return Question(
            benchmark=self.name,
            key=text_from_field(fields, "id"),
            text=text,
            kind=kind,
            gold=read_gold(fields, "answer"),
            options=options,
            groups={"subject": record.part},
            images=_images(fields, "\n".join([text, *options.values()])),
        )


def _options(fields: Fields) -> dict[str, str]:
    text = text_from_field(fields, "options")
    try:
        options = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        options = None
    if not isinstance(options, list) or not all(isinstance(option, str) for option in options):
        detail = f"options must be the text of a list of strings, got {text[:40]!r}"
        raise SampleError(RejectReason.INVALID_SAMPLE, detail)
    return dict(zip(ascii_uppercase, options, strict=False))


def _images(fields: Fields, text: str) -> tuple[bytes, ...]:
    """Returns the images that a text names; the first image where it names none."""
    numbers = sorted({int(number) for number in _IMAGE.findall(text)}) or [1]
    return tuple(image_bytes(fields, f"image_{number}") for number in numbers)
