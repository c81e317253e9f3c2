"""Questions of benchmarks: what is asked, what is right, and what kind of answer is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from packkit.images import ImageRef

__all__ = ["Language", "Question", "QuestionKind"]

QuestionKind = Literal["choice", "yes_no", "closed", "open"]
"""What is wanted: a letter of an option, yes or no, a word or phrase, or free text."""

Language = Literal["en", "zh"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question of a benchmark.

    Attributes:
        benchmark: name of the benchmark, such as ``slake``.
        key: tells it from the others of its benchmark, on every machine alike.
        text: the question as the benchmark has it.
        kind: what is wanted.
        gold: the right answer as the benchmark has it; of a choice its letter.
        options: letter -> text of a choice, in their order; else empty.
        language: in which it is asked, and is to be answered.
        groups: what results are broken down by, such as ``{"modality": "CT"}``.
        images: that it is about, in their order: encoded bytes, or where they stand.
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
        """Whether the answer is free text, which a rule can hardly judge."""
        return self.kind == "open"

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON, without its images."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "images"}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Question:
        """Reads what `to_dict` gave.

        Raises:
            TypeError: a field is missing or unknown.
        """
        return cls(**record)
