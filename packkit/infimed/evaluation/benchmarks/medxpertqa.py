"""MedXpertQA-MM: exam questions with five options about one or more images.

``MM/test.jsonl``, with the images of ``images.zip`` in ``images/``. As published, the text of a
question ends with its options.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from packkit.base.errors import RejectReason, SampleError
from packkit.images import DataRoot, FileImage
from packkit.infimed.evaluation.benchmarks.base import (
    BenchmarkRecord,
    file_in,
    groups_from_fields,
    one_of,
    text_or_none,
)
from packkit.infimed.evaluation.benchmarks.records import read_json, read_parquet
from packkit.infimed.evaluation.questions import Question
from packkit.sources.base import Fields, text_from_field


class MedXpertQa:
    """Records of the test file; the key is the ``id``.

    In place of the folder a Parquet file with the same columns can be named.
    """

    name: ClassVar[str] = "medxpertqa"
    title: ClassVar[str] = "MedXpertQA"

    def __init__(self, path: Path) -> None:
        self._file = file_in(path, "MM/test.jsonl", "test.jsonl")
        folder = self._file.parent
        self._images = DataRoot(folder.parent if folder.name == "MM" else folder).within("images")

    def records(self) -> Iterator[BenchmarkRecord]:
        """Yields the records of the test split."""
        if self._file.suffix == ".parquet":
            return read_parquet([self._file])
        return read_json(self._file)

    def question(self, record: BenchmarkRecord) -> Question:
        """Returns a question.

        Raises:
            SampleError: A field is missing, or the answer is none of the options.
        """
        fields = record.fields
        options = _options(fields)
        return Question(
            benchmark=self.name,
            key=text_from_field(fields, "id"),
            text=text_from_field(fields, "question"),
            kind="choice",
            gold=one_of(options, fields, "label"),
            options=options,
            groups=groups_from_fields(fields, "medical_task", "body_system", "question_type"),
            images=self._images_of(fields),
        )

    def _images_of(self, fields: Fields) -> tuple[FileImage, ...]:
        names = fields.get("images")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise SampleError(RejectReason.MISSING_IMAGE, "images must be a list of file names")
        return tuple(map(self._images.image, names))


def _options(fields: Fields) -> dict[str, str]:
    options = fields.get("options")
    if not isinstance(options, dict):
        detail = f"options must be an object, got {type(options).__name__}"
        raise SampleError(RejectReason.INVALID_SAMPLE, detail)
    texts = {letter: text_or_none(text) for letter, text in options.items()}
    return {letter: text for letter, text in texts.items() if text}
