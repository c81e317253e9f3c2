"""What a benchmark is: where its records stand, and what question each of them asks."""

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
        place: Its file and its number there from 1, for messages.
        number: Of the records before it in its split.
        fields: What it holds.
        part: Of the benchmark that it belongs to, such as a subject; empty where there are none.
    """

    place: str
    number: int
    fields: Fields
    part: str = ""


class Benchmark(Protocol):
    """A local copy of a benchmark in the layout it is published in."""

    name: ClassVar[str]
    title: ClassVar[str]
    """What tables call it."""

    def __init__(self, path: Path) -> None:
        """Finds its files.

        Raises:
            InputError: One that it needs is not there.
        """

    def records(self) -> Iterator[BenchmarkRecord]:
        """Yields the records that are evaluated, in their published order.

        Raises:
            FormatError: A file cannot be read as its name says.
        """

    def question(self, record: BenchmarkRecord) -> Question:
        """Returns the question that a record asks.

        Raises:
            SampleError: It asks none.
        """


def file_in(path: Path, *names: str) -> Path:
    """Returns a file that is named itself, or the first of `names` that a folder holds.

    Raises:
        InputError: There is none.
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
        SampleError: It is something else.
    """
    # NaN, which is what pandas writes for a cell that is empty, differs from itself.
    if value is None or value != value:
        return None
    if not isinstance(value, str):
        detail = f"an optional field must hold text or nothing, got {type(value).__name__}"
        raise SampleError(RejectReason.INVALID_SAMPLE, detail)
    return value.strip() or None


def one_of(known: Collection[str], fields: Fields, name: str) -> str:
    """Returns the text of a field that holds one of some words, stripped.

    Raises:
        SampleError: It holds something else.
    """
    text = text_from_field(fields, name).strip()
    if text not in known:
        detail = f"{name} must be one of {', '.join(known)}, got {text[:40]!r}"
        raise SampleError(RejectReason.INVALID_SAMPLE, detail)
    return text


def groups_from_fields(fields: Fields, *names: str) -> dict[str, str]:
    """Returns the fields that results are broken down by; those without a text are left out."""
    texts = {name: text_or_none(fields.get(name)) for name in names}
    return {name: text for name, text in texts.items() if text}
