"""SLAKE: questions in English and Chinese about radiology images.

``test.json`` is an array of records; the image ``xmlab1/source.jpg`` stands in ``imgs/`` (the
contents of ``imgs.zip``). Closed questions have one word or phrase as their answer, not only yes
or no.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from packkit.images import DataRoot
from packkit.infimed.evaluation.benchmarks.base import (
    BenchmarkRecord,
    file_in,
    groups_from_fields,
    one_of,
)
from packkit.infimed.evaluation.benchmarks.records import read_json
from packkit.infimed.evaluation.questions import Language, Question, QuestionKind
from packkit.sources.base import id_from_field, text_from_field

_KINDS: dict[str, QuestionKind] = {"OPEN": "open", "CLOSED": "closed"}
_LANGUAGES: dict[str, Language] = {"en": "en", "zh": "zh"}


class Slake:
    """Records of ``test.json``; the key is the ``qid``."""

    name: ClassVar[str] = "slake"
    title: ClassVar[str] = "SLAKE"

    def __init__(self, path: Path) -> None:
        self._file = file_in(path, "test.json")
        self._images = DataRoot(self._file.parent).within("imgs")

    def records(self) -> Iterator[BenchmarkRecord]:
        """Yields the records of both languages."""
        return read_json(self._file)

    def question(self, record: BenchmarkRecord) -> Question:
        """Returns a question.

        Raises:
            SampleError: A field is missing or unknown.
        """
        fields = record.fields
        language = _LANGUAGES[one_of(_LANGUAGES, fields, "q_lang")]
        return Question(
            benchmark=self.name,
            key=text_from_field({"qid": id_from_field(fields, "qid")}, "qid"),
            text=text_from_field(fields, "question"),
            kind=_KINDS[one_of(_KINDS, fields, "answer_type")],
            gold=text_from_field(fields, "answer"),
            language=language,
            groups={"language": language, **groups_from_fields(fields, "modality", "content_type")},
            images=(self._images.image(text_from_field(fields, "img_name")),),
        )
