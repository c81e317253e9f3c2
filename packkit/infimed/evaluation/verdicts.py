"""Verdicts: what the rules or the judge decided about each answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from packkit.base.errors import FormatError
from packkit.base.files import write_atomically

Outcome = Literal["right", "wrong", "unparsed", "judge_failed"]
"""``unparsed``: the rules cannot tell what the reply answers. ``judge_failed``: the judge gave no
verdict, so nothing is known about the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was decided about one answer.

    Attributes:
        benchmark: Name of the benchmark.
        question: Key of the question.
        outcome: Whether the answer is right or wrong, or why that is not known.
        answer: What the model's reply was taken to say; None where the rules cannot tell.
        by: Who decided, the rules of the scorer or the judge.
        is_guess: Whether the rules fell back on likeness or chance.
        reason: Reason that the judge gave, or why it gave none; empty where the rules decided.
    """

    benchmark: str
    question: str
    outcome: Outcome
    answer: str | None
    by: Literal["rules", "judge"]
    is_guess: bool = False
    reason: str = ""

    @property
    def is_right(self) -> bool:
        """Whether the answer is right."""
        return self.outcome == "right"

    def to_dict(self) -> dict[str, Any]:
        """Returns the verdict as JSON."""
        return asdict(self)


def write_verdicts(path: Path, verdicts: Iterable[Verdict]) -> None:
    """Writes verdicts, one JSON object a line."""
    options = orjson.OPT_APPEND_NEWLINE
    lines = [orjson.dumps(verdict.to_dict(), option=options) for verdict in verdicts]
    write_atomically(path, b"".join(lines))


def read_verdicts(path: Path) -> list[Verdict]:
    """Reads what `write_verdicts` wrote.

    Raises:
        FormatError: A line holds no verdict.
        OSError: The file cannot be read.
    """
    lines = path.read_bytes().splitlines()
    return [_verdict(path, number, line) for number, line in enumerate(lines, 1)]


def _verdict(path: Path, number: int, line: bytes) -> Verdict:
    try:
        record: Mapping[str, Any] = orjson.loads(line)
        return Verdict(**record)
    except (TypeError, ValueError) as error:
        raise FormatError(f"{path}: line {number}", f"no verdict: {error}") from None
