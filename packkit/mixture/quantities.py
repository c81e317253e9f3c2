"""Quantities that a mixture takes of its sources."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, NamedTuple

from packkit.base.errors import InputError
from packkit.base.values import LARGEST_COUNT, shown

Unit = Literal["samples", "tokens"]

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9}
_COUNT = re.compile(r"([0-9]{1,400}(?:\.[0-9]{1,400})?)([KMB]?)")


class Quantity(NamedTuple):
    """A quantity of samples.

    Attributes:
        kind: Meaning of `value`: a number of ``samples``, a largest number of ``tokens``, or how
            many times the whole source is taken, ``repeat``.
        value: Number of samples, tokens or repeats.
    """

    kind: Literal["samples", "tokens", "repeat"]
    value: int | float

    def __str__(self) -> str:
        if self.kind == "repeat":
            return "all" if self.value == 1 else f"all, {self.value:g} times"
        return f"{self.value:,} {self.kind}"


def parse_count(value: int | str) -> int:
    """Reads an exact count: a number, or text as 180K, 1.5M, 5B.

    Raises:
        InputError: The text is no count, or no whole number in 1..`LARGEST_COUNT`.

    >>> parse_count("180K"), parse_count("1.5M"), parse_count(9835)
    (180000, 1500000, 9835)
    """
    match = _COUNT.fullmatch(str(value).strip().replace(",", ""))
    count = Fraction(match[1]) * _UNITS[match[2]] if match else Fraction(0)
    if count < 1 or count.denominator != 1:
        rule = "must be a whole number of at least 1, as 13000 or 13K"
        raise InputError(f"{rule}, got {shown(value)}")
    if count > LARGEST_COUNT:
        raise InputError(f"must be at most {LARGEST_COUNT}, got {shown(value)}")
    return int(count)


def apportion(total: int, weights: Sequence[float]) -> list[int]:
    """Deals a total by weights, so that the shares are whole and add up to it.

    By the largest remainder (Hamilton's method); of equal remainders the first comes first.

    >>> apportion(10, [1, 1, 1])
    [4, 3, 3]
    """
    exact = [Fraction(weight) for weight in weights]
    shares = [total * weight / sum(exact) for weight in exact]
    counts = [int(share) for share in shares]
    remainders = sorted(range(len(shares)), key=lambda i: counts[i] - shares[i])
    for number in remainders[: total - sum(counts)]:
        counts[number] += 1
    return counts
