"""Questions of benchmarks: what is asked, what is right, and what kind of answer is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from packkit.images import ImageRef

QuestionKind = Literal["choice", "yes_no", "closed", "open"]
"""What is wanted: a letter of an option, yes or no, a word or phrase, or free text."""

Language = Literal["en", "zh"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question of a benchmark.

    Attributes:
        benchmark: Name of the benchmark, such as ``slake``.
        key: Tells it from the others of its benchmark, on every machine alike.
        text: The question as the benchmark has it.
        kind: What is wanted.
        gold: The right answer as the benchmark has it; of a choice its letter.
        options: Letter -> text of a choice, in their order; else empty.
        language: In which it is asked, and is to be answered.
        groups: What results are broken down by, such as ``{"modality": "CT"}``.
        images: That it is about, in their order: encoded bytes, or where they stand.
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
            TypeError: A field is missing or unknown.
        """
        return cls(**record)
