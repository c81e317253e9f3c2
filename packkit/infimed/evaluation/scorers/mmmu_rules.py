"""The rules of MMMU's own evaluation, which MedEvalKit takes over."""

from __future__ import annotations

import re
from collections.abc import Mapping

_EDGES = ",.!?;:'"
_TRIVIAL = {*_EDGES}
_INDICATORS = ("could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result ")
_NUMBERS = (
    re.compile(r"-?\b\d{1,3}(?:,\d{3})+\b"),
    re.compile(r"-?\d+(?:\.\d+)?[eE][+-]?\d+"),
    re.compile(r"-?(?:\d+\.\d+|\.\d+|\d+\b)(?![eE][+-]?\d+)(?![,\d])"),
)


def find_letter(reply: str, options: Mapping[str, str]) -> str | None:
    """Returns the letter that a reply names, or None.

    Letters in brackets are looked for first, then letters between spaces, then, in replies of more
    than five words, the texts of the options. Of several letters the last one in the reply counts.
    """
    for char in _EDGES:
        reply = reply.strip(char)
    reply = f" {reply} "
    for form in ("({})", " {} "):
        if places := _places({letter: form.format(letter) for letter in options}, reply):
            return _last(places)
    if len(reply.split()) <= 5:
        return None
    lowered = {letter: text.lower() for letter, text in options.items()}
    return _last(_places(lowered, reply.lower()))


def matches_gold(reply: str, gold: str) -> bool:
    """Whether a reply to an open question has the gold answer as a number, or holds it as text."""
    wanted = _normalised(gold)
    return any(
        any(isinstance(text, str) and text in said for text in wanted)
        if isinstance(said, str)
        else said in wanted
        for said in _candidates(reply)
    )


def _places(needles: Mapping[str, str], text: str) -> dict[str, int]:
    return {letter: text.rfind(needle) for letter, needle in needles.items() if needle in text}


def _last(places: Mapping[str, int]) -> str | None:
    return max(places, key=places.__getitem__, default=None)


def _candidates(reply: str) -> list[str | float]:
    """Returns the ends of the reply's lines that may hold the answer, and the numbers in them."""
    reply = reply.strip().strip(".").lower()
    ends = [end for end in _ends(reply.split("\n")) if end and end not in _TRIVIAL] or [reply]
    numbers = [number for end in ends for form in _NUMBERS for number in form.findall(end)]
    return [value for text in ends + numbers for value in _normalised(text)]


def _ends(lines: list[str]) -> list[str]:
    *early, last = lines
    ends = [_shortest_end(line, _INDICATORS) for line in early]
    return [*ends, _shortest_end(last, (*_INDICATORS, "="))]


def _shortest_end(line: str, indicators: tuple[str, ...]) -> str:
    """Returns the shortest of what follows each indicator; an empty one gives way to the next."""
    shortest = ""
    for indicator in indicators:
        if indicator in line:
            end = line.split(indicator)[-1].strip()
            if not shortest or len(end) < len(shortest):
                shortest = end
    return shortest


def _normalised(text: str) -> list[str | float]:
    text = text.strip()
    try:
        return [round(float(text.replace(",", "")), 2)]
    except ValueError:
        text = text.lower()
    # A single letter would be found in almost any text.
    return [f" {text}", f"{text} "] if len(text) == 1 else [text]
