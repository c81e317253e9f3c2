"""Plain values that came from outside: what they must be, and how messages show them."""

from __future__ import annotations

from numbers import Integral

LARGEST_COUNT = (1 << 53) - 1
"""Largest number that all readers of JSON hold exactly."""

_LONGEST_SHOWN = 200


def is_whole(value: object, least: int, most: int) -> bool:
    """Returns whether a value is a whole number from `least` to `most`; True and 1.0 are none.

    >>> is_whole(3, 0, 3), is_whole(4, 0, 3), is_whole(True, 0, 3), is_whole(1.0, 0, 3)
    (True, False, False, False)
    """
    is_integer = isinstance(value, Integral) and not isinstance(value, bool)
    return is_integer and least <= value <= most  # type: ignore[operator]


def shown(value: object) -> str:
    """Returns a value for a message, cut where it is long.

    >>> shown([1, None]), len(shown("x" * 1000))
    ('[1, None]', 203)
    """
    try:
        text = repr(value)
    except RecursionError:
        text = f"a {type(value).__name__} nested too deeply to show"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def one_line(value: object) -> str:
    """Returns a text, such as that of a library's error, with spaces in place of its line breaks.

    >>> one_line(ValueError("first\\n  second"))
    'first second'
    """
    return " ".join(str(value).split())
