"""What a scorer decided about each answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from packkit.base.errors import FormatError
from packkit.base.files import write_atomically

Outcome = Literal["right", "wrong", "unparsed", "judge_failed"]
"""``unparsed``: the rules cannot tell what is answered. ``judge_failed``: the judge gave no
verdict, so nothing is known of the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was decided about one answer.

    Attributes:
        benchmark: Name of the benchmark.
        question: Key of the question.
        outcome: What was decided.
        answer: What the reply was taken to say; None where that cannot be told.
        by: Who decided.
        is_guess: Whether the rules fell back on likeness or chance.
        reason: What the judge gave as its reason, or why there is none; else empty.
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
        """Returns it as JSON."""
        return asdict(self)


def write_verdicts(path: Path, verdicts: Iterable[Verdict]) -> None:
    """Writes verdicts, one JSON object a line."""
    lines = [orjson.dumps(one.to_dict(), option=orjson.OPT_APPEND_NEWLINE) for one in verdicts]
    write_atomically(path, b"".join(lines))


def read_verdicts(path: Path) -> list[Verdict]:
    """Reads what `write_verdicts` wrote.

    Raises:
        FormatError: It is something else.
        OSError: It cannot be read.
    """
    return [_verdict(path, number, line) for number, line in enumerate(_lines(path), 1)]


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def _verdict(path: Path, number: int, line: bytes) -> Verdict:
    try:
        record: Mapping[str, Any] = orjson.loads(line)
        return Verdict(**record)
    except (TypeError, ValueError) as error:
        raise FormatError(f"{path}: line {number}", f"no verdict: {error}") from None
