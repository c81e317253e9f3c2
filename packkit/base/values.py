"""Plain values that came from outside: what they must be, and how messages show them."""

from __future__ import annotations

import math
import sys
from numbers import Integral, Real

from packkit.base.errors import InputError

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


def check_whole(name: str, value: object, least: int, most: int) -> None:
    """Checks an option that is a whole number.

    Args:
        name: Name of the option, for the message.
        value: Value that a user gave it.
        least: Least number allowed.
        most: Greatest number allowed.

    Raises:
        InputError: The value is no whole number from `least` to `most`.

    >>> check_whole("max_len", 10**11, 1, 1 << 24)
    Traceback (most recent call last):
    packkit.base.errors.InputError: max_len must be at most 16777216, got 100000000000
    """
    if is_whole(value, least, most):
        return
    if not isinstance(value, Integral) or isinstance(value, bool):
        rule = "must be a whole number"
    elif value > most:  # type: ignore[operator]
        rule = f"must be at most {most}"
    else:
        rule = f"must be at least {least}" if least else "must not be negative"
    raise InputError(f"{name} {rule}, got {shown(value)}")


def check_number(name: str, value: object, least: float, most: float = math.inf) -> None:
    """Checks an option that is a finite number.

    Args:
        name: Name of the option, for the message.
        value: Value that a user gave it.
        least: Least number allowed.
        most: Greatest number allowed.

    Raises:
        InputError: The value is no finite number from `least` to `most`.

    >>> check_number("price_in", float("nan"), 0)
    Traceback (most recent call last):
    packkit.base.errors.InputError: price_in must be at least 0 and finite, got nan
    """
    if _is_number(value, least, most):
        return
    rule = f"in [{least:g}, {most:g}]" if most < math.inf else f"at least {least:g} and finite"
    raise InputError(f"{name} must be {rule}, got {shown(value)}")


def check_positive(name: str, value: object) -> None:
    """Raises InputError unless the value of an option is a finite number over 0."""
    if not _is_number(value, 0, math.inf) or value == 0:
        raise InputError(f"{name} must be positive and finite, got {shown(value)}")


def _is_number(value: object, least: float, most: float) -> bool:
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    # No whole number of any size becomes a float here; not-a-number is in no range.
    return bool(least <= value <= min(most, sys.float_info.max))  # type: ignore[operator]


def shown(value: object) -> str:
    """Returns a value for a message, cut where it is long.

    >>> shown([1, None]), len(shown("x" * 1000))
    ('[1, None]', 203)
    """
    try:
        text = repr(value)
    except RecursionError:
        text = f"a {type(value).__name__} nested too deeply to show"
    except ValueError:
        # Python writes no whole number of more than some thousand digits.
        text = "a number too long to show"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def one_line(value: object) -> str:
    """Returns a text, such as that of a library's error, with spaces in place of its line breaks.

    >>> one_line(ValueError("first\\n  second"))
    'first second'
    """
    return " ".join(str(value).split())
