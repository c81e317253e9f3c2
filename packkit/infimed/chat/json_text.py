"""JSON found in what a language model writes around it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn

_THINK, _END_THINK = "<think>", "</think>"


def without_thoughts(text: str) -> str:
    """Returns a reply without the reasoning before it.

    Reasoning ends at the first ``</think>`` that is not inside a JSON object; its beginning may be
    missing, where the chat template puts it into the prompt. Reasoning that does not end leaves
    nothing.
    """
    end = _end_of_thoughts(text)
    if end is not None:
        return text[end:]
    return "" if text.lstrip().startswith(_THINK) else text


def encodable(text: str) -> str:
    """Replaces halves of surrogate pairs, which JSON can name and UTF-8 cannot hold.

    >>> encodable("\\ud83d half")
    '? half'
    """
    return text.encode("utf-8", "replace").decode()


def find_json(text: str, accept: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
    """Returns the last JSON object in a text that satisfies a check.

    An object that satisfies it is not searched for further ones, any other object is. Strings may
    hold line breaks, which JSON forbids and models write.

    Args:
        text: Text of a reply; around the object there may be fences, prose, and reasoning first.
        accept: Function that says whether an object is the one looked for.

    >>> find_json('Here:\\n```json\\n{"score": 4}\\n``` Hope it helps {:-)', lambda _: True)
    {'score': 4}
    """
    text = without_thoughts(text)
    last, place = None, text.find("{")
    while place >= 0:
        value, end = _object_at(text, place)
        if value is not None and accept(value):
            last = value
            place = text.find("{", end)
        else:
            # An object that is not the one looked for may hold it.
            place = text.find("{", place + 1 if value is not None else max(end, place + 1))
    return None if last is None else _encodable_value(last)


def _encodable_value(value: Any) -> Any:  # noqa: ANN401
    match value:
        case str():
            return encodable(value)
        case list():
            return [_encodable_value(item) for item in value]
        case dict():
            return {encodable(key): _encodable_value(item) for key, item in value.items()}
    return value


def _end_of_thoughts(text: str) -> int | None:
    """Returns where the answer begins; None where no reasoning ends."""
    end, place = text.find(_END_THINK), text.find("{")
    while 0 <= place < end:
        _, stop = _object_at(text, place)
        if stop > end:
            end = text.find(_END_THINK, stop)
        place = text.find("{", max(stop, place + 1))
    return None if end < 0 else end + len(_END_THINK)


def _object_at(text: str, place: int) -> tuple[dict[str, Any] | None, int]:
    """Returns the object that begins at a place, and where it ends; without one, the place."""
    try:
        value, end = _DECODER.raw_decode(text, place)
    except ValueError:
        return None, place
    # Braces nested deeper than Python's stack are no answer, and to try each of them takes minutes.
    except RecursionError:
        return None, len(text)
    return value, end


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(strict=False, parse_constant=_no_number)
