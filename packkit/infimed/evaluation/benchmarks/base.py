"""The protocol of benchmarks: where the records are, and which question each of them asks."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol

from packkit.base.errors import InputError, RejectReason, SampleError
from packkit.infimed.evaluation.questions import Question
from packkit.sources.base import Fields, text_from_field


class BenchmarkRecord(NamedTuple):
    """One record of a benchmark.

    Attributes:
        place: File of the record and its number there from 1, for messages.
        number: Number of the record in its split, from 0.
        fields: Fields of the record.
        part: Part of the benchmark that the record belongs to, such as a subject; else empty.
    """

    place: str
    number: int
    fields: Fields
    part: str = ""


class Benchmark(Protocol):
    """A local copy of a benchmark in the layout it is published in."""

    name: ClassVar[str]
    title: ClassVar[str]
    """Title of the benchmark in tables."""

    def __init__(self, path: Path) -> None:
        """Finds the files of the benchmark.

        Raises:
            InputError: A file that the benchmark needs is missing.
        """

    def records(self) -> Iterator[BenchmarkRecord]:
        """Yields the records that are evaluated, in their published order.

        Raises:
            FormatError: A file does not have the format that its name states.
        """

    def question(self, record: BenchmarkRecord) -> Question:
        """Returns the question that a record asks.

        Raises:
            SampleError: The record asks no question.
        """


def file_in(path: Path, *names: str) -> Path:
    """Returns the path itself if it is a file, else the first of `names` that the folder holds.

    Raises:
        InputError: The folder holds none of them.
    """
    if path.is_file():
        return path
    for name in names:
        if (path / name).is_file():
            return path / name
    raise InputError(f"{path} is no file, and holds no {' or '.join(names)}")


def text_or_none(value: object) -> str | None:
    """Returns the text of an optional field, stripped; None for null, NaN and white space.

    Raises:
        SampleError: The value is something else.
    """
    # NaN, which pandas writes for an empty cell, differs from itself.
    if value is None or value != value:
        return None
    if not isinstance(value, str):
        detail = f"an optional field must hold text or nothing, got {type(value).__name__}"
        raise SampleError(RejectReason.INVALID_SAMPLE, detail)
    return value.strip() or None


def one_of(known: Collection[str], fields: Fields, name: str) -> str:
    """Returns the text, stripped, of a field that must hold one of the known words.

    Raises:
        SampleError: The field holds another text.
    """
    text = text_from_field(fields, name).strip()
    if text not in known:
        detail = f"{name} must be one of {', '.join(known)}, got {text[:40]!r}"
        raise SampleError(RejectReason.INVALID_SAMPLE, detail)
    return text


def groups_from_fields(fields: Fields, *names: str) -> dict[str, str]:
    """Returns the fields that results are broken down by; fields without a text are left out."""
    texts = {name: text_or_none(fields.get(name)) for name in names}
    return {name: text for name, text in texts.items() if text}
