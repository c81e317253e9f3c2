"""PMC-VQA: a figure of a paper, a question and four choices.

MedEvalKit evaluates version 2 of its test set, ``test_2.csv`` with ``figures/``; version 1 is
``test.csv``, and ``test_clean.csv`` the part of it that people checked, with ``images/``. The
columns are those of packkit's layout of the same name.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from packkit.base.errors import InputError, RejectReason, SampleError
from packkit.images import DataRoot
from packkit.infimed.data.layouts.pmc_vqa import CHOICES, choice_text, figure_folders, is_version_1
from packkit.infimed.evaluation.benchmarks.base import BenchmarkRecord, one_of
from packkit.infimed.evaluation.benchmarks.records import read_csv
from packkit.infimed.evaluation.questions import Question
from packkit.sources.base import Fields, text_from_field

_FILES = ("test_2.csv", "test.csv", "test_clean.csv")


class PmcVqa:
    """Rows of one test file; the key is the number of the row, from 0: not all rows have an id."""

    name: ClassVar[str] = "pmc-vqa"
    title: ClassVar[str] = "PMC-VQA"

    def __init__(self, path: Path) -> None:
        self._file = path if path.is_file() else _only_file(path)
        self._root = DataRoot(self._file.parent)

    def records(self) -> Iterator[BenchmarkRecord]:
        """Yields the rows of the file."""
        return read_csv(self._file)

    def question(self, record: BenchmarkRecord) -> Question:
        """Returns a question.

        Raises:
            SampleError: A field is missing, or the answer is none of the choices.
        """
        fields = record.fields
        images = self._root.within(*figure_folders(fields))
        options = {letter: _option(fields, letter) for letter in CHOICES}
        return Question(
            benchmark=self.name,
            key=f"{record.number:05}",
            text=text_from_field(fields, "Question").strip(),
            kind="choice",
            gold=one_of(options, fields, "Answer_label" if is_version_1(fields) else "Answer"),
            options=options,
            images=(images.image(text_from_field(fields, "Figure_path")),),
        )


def _option(fields: Fields, letter: str) -> str:
    """Returns the text of a choice; where it is empty, the letter as the file shows it."""
    name = CHOICES[letter]
    if name not in fields:
        raise SampleError(RejectReason.INVALID_SAMPLE, f"there is no column {name!r}")
    return choice_text(letter, fields[name]) or f"{letter}:"


def _only_file(folder: Path) -> Path:
    """Returns the only test file of a folder; three with different questions are published."""
    names = [name for name in _FILES if (folder / name).is_file()]
    if len(names) > 1:
        raise InputError(f"{folder} holds {' and '.join(names)}; name the file to be evaluated")
    if not names:
        raise InputError(f"{folder} holds none of {', '.join(_FILES)}")
    return folder / names[0]
