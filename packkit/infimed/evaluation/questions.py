"""Questions of benchmarks: what is asked, what is right, and what kind of answer is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from packkit.images import ImageRef

QuestionKind = Literal["choice", "yes_no", "closed", "open"]
"""What answers a question: a letter of an option, yes or no, a word or phrase, or free text."""

Language = Literal["en", "zh"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question of a benchmark.

    Attributes:
        benchmark: Name of the benchmark, such as ``slake``.
        key: Key of the question, unique in its benchmark and the same on every machine.
        text: Text of the question as the benchmark has it.
        kind: What answers the question.
        gold: Right answer as the benchmark has it; for a choice, the letter of the option.
        options: Letter -> text of the option, in their order; empty unless a choice.
        language: Language in which the question is asked, and is to be answered.
        groups: Fields that results are broken down by, such as ``{"modality": "CT"}``.
        images: Images that the question is about, in their order: encoded bytes or references.
    """

    benchmark: str
    key: str
    text: str
    kind: QuestionKind
    gold: str
    options: Mapping[str, str] = field(default_factory=dict)
    language: Language = "en"
    groups: Mapping[str, str] = field(default_factory=dict)
    images: tuple[bytes | ImageRef, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether free text answers the question, which rules can hardly judge."""
        return self.kind == "open"

    def to_dict(self) -> dict[str, Any]:
        """Returns the question as JSON, without its images."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "images"}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Question:
        """Reads what `to_dict` gave.

        Raises:
            TypeError: A field is missing or unknown.
        """
        return cls(**record)
