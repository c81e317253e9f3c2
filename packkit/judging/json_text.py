"""JSON found in what a language model writes around it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn

__all__ = ["find_json", "without_thoughts"]

_THINK, _END_THINK = "<think>", "</think>"


def without_thoughts(text: str) -> str:
    """Returns a reply without the reasoning before it.

    Reasoning ends at the first ``</think>``; its beginning may be missing, where the chat template
    puts it into the prompt. Reasoning that does not end leaves nothing.
    """
    before, end, after = text.partition(_END_THINK)
    if end:
        return after
    return "" if before.lstrip().startswith(_THINK) else before


def find_json(text: str, accept: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
    """Returns the last JSON object in a text that satisfies a check.

    Objects inside one that does are not looked at; those inside one that does not are. Line breaks
    in strings are let pass, which models write and JSON forbids.

    Args:
        text: what was written: fences, prose, and reasoning before it may stand around the object.
        accept: the check.

    >>> find_json('Here:\\n```json\\n{"score": 4}\\n``` Hope it helps {:-)', lambda _: True)
    {'score': 4}
    """
    text = without_thoughts(text)
    found, place = None, text.find("{")
    while place >= 0:
        value, end = _object_at(text, place)
        if value is not None and accept(value):
            found = value
            place = text.find("{", end)
        else:
            place = text.find("{", place + 1)
    return found


def _object_at(text: str, place: int) -> tuple[dict[str, Any] | None, int]:
    """Returns the object that begins at a place, and where it ends."""
    try:
        value, end = _DECODER.raw_decode(text, place)
    # Braces can be nested deeper than Python goes, and that is no answer either.
    except (ValueError, RecursionError):
        return None, place
    return value, end


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(strict=False, parse_constant=_no_number)
