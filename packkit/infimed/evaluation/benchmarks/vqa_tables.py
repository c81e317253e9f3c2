"""VQA-RAD and PathVQA: Parquet files of images, questions and answers.

A folder as Hugging Face publishes it: ``data/test-00000-of-00001.parquet``, in one or more files. A
question whose gold answer is yes or no is of the kind ``yes_no``; all others are open.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from packkit.infimed.evaluation.benchmarks.base import BenchmarkRecord
from packkit.infimed.evaluation.benchmarks.records import image_bytes, read_parquet, split_files
from packkit.infimed.evaluation.questions import Question
from packkit.sources.base import text_from_field


class _VqaTable:
    """Rows with ``image``, ``question`` and ``answer``.

    The key is the number of the row in the split, from 0: rows have no ids, and several may share
    image and question.
    """

    name: ClassVar[str]

    def __init__(self, path: Path) -> None:
        data = path / "data"
        self._files = (
            [path] if path.is_file() else split_files(data if data.is_dir() else path, "test")
        )

    def records(self) -> Iterator[BenchmarkRecord]:
        """Yields the rows of the test split."""
        return read_parquet(self._files)

    def question(self, record: BenchmarkRecord) -> Question:
        """Returns a question.

        Raises:
            SampleError: Image, question or answer is missing.
        """
        answer = text_from_field(record.fields, "answer")
        return Question(
            benchmark=self.name,
            key=f"{record.number:05}",
            text=text_from_field(record.fields, "question"),
            kind="yes_no" if answer.strip().lower() in ("yes", "no") else "open",
            gold=answer,
            images=(image_bytes(record.fields, "image"),),
        )


class VqaRad(_VqaTable):
    """Radiology images, with questions that clinicians asked."""

    name: ClassVar[str] = "vqa-rad"
    title: ClassVar[str] = "VQA-RAD"


class PathVqa(_VqaTable):
    """Pathology images of textbooks, with questions made from their captions."""

    name: ClassVar[str] = "path-vqa"
    title: ClassVar[str] = "PathVQA"
