"""OmniMedVQA: multiple-choice questions about images of many data sets.

Only the open-access part: every file of ``QA_information/Open-access/``, with the images that its
records name as ``Images/...``. Images of the other part are not published.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from packkit.base.errors import InputError, RejectReason, SampleError
from packkit.images import DataRoot
from packkit.infimed.evaluation.benchmarks.base import (
    BenchmarkRecord,
    groups_from_fields,
    text_or_none,
)
from packkit.infimed.evaluation.benchmarks.records import read_json
from packkit.infimed.evaluation.questions import Question
from packkit.sources.base import text_from_field

_OPEN_ACCESS = "QA_information/Open-access"


class OmniMedVqa:
    """Records of every open-access file.

    The key is the name of the file and the number of the record there, from 0: a ``question_id``
    need not be unique. One record has ``modality`` in place of ``modality_type``.
    """

    name: ClassVar[str] = "omnimedvqa"
    title: ClassVar[str] = "OmniMedVQA"

    def __init__(self, path: Path) -> None:
        self._files = sorted((path / _OPEN_ACCESS).glob("*.json"))
        if not self._files:
            raise InputError(f"{path} holds no {_OPEN_ACCESS}/*.json")
        self._root = DataRoot(path)

    def records(self) -> Iterator[BenchmarkRecord]:
        """Yields the records of one file after another."""
        for path in self._files:
            for record in read_json(path):
                yield record._replace(part=path.stem)

    def question(self, record: BenchmarkRecord) -> Question:
        """Returns a question.

        Raises:
            SampleError: A field is missing, or the answer is none of the options.
        """
        fields = record.fields
        texts = {letter: text_or_none(fields.get(f"option_{letter}")) for letter in "ABCD"}
        options = {letter: text for letter, text in texts.items() if text}
        kinds = {**fields, "modality": fields.get("modality_type") or fields.get("modality")}
        return Question(
            benchmark=self.name,
            key=f"{record.part}/{record.number:05}",
            text=text_from_field(fields, "question"),
            kind="choice",
            gold=_letter_of(text_from_field(fields, "gt_answer").strip(), options),
            options=options,
            groups=groups_from_fields(kinds, "modality", "question_type"),
            images=(self._root.image(text_from_field(fields, "image_path")),),
        )


def _letter_of(answer: str, options: Mapping[str, str]) -> str:
    """Returns the letter of the option with this text; of several the last, as in MedEvalKit."""
    letters = {text: letter for letter, text in options.items()}
    if answer not in letters:
        shown = ", ".join(f"{letter} {text[:40]!r}" for letter, text in options.items())
        detail = f"gt_answer must be the text of an option ({shown}), got {answer[:40]!r}"
        raise SampleError(RejectReason.INVALID_SAMPLE, detail)
    return letters[answer]
