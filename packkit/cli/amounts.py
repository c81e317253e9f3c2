"""Amounts as people write them: ``4k`` tokens, ``256MiB``.

One rule reads both, and says what a ``k`` is: 1024 where tokens are counted, as contexts of models
are (4k is 4096), and 1000 where bytes are, as the SI has it. ``ki`` is 1024 everywhere. The case of
letters does not matter, and a fraction of a unit must come to a whole number: 4.5k is 4608 tokens.
"""

from __future__ import annotations

import re
from fractions import Fraction

import typer

from packkit.base.values import shown

_AMOUNT = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?)\s*([kmg]?)(i?)(b?)", re.A | re.I)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3}


def parse_tokens(text: str) -> int:
    """Reads a number of tokens such as ``4096``, ``4k`` or ``1M``.

    Raises:
        BadParameter: The text is no such number.

    >>> parse_tokens("4k"), parse_tokens("4.5K"), parse_tokens("4096")
    (4096, 4608, 4096)
    """
    rule = "must be a whole number of tokens, as 4096 or 4k (k is 1024, m is 1024 k)"
    return _parse(text, 1024, "", rule)


def parse_bytes(text: str) -> int:
    """Reads a number of bytes such as ``256MiB``.

    Raises:
        BadParameter: The text is no such number.

    >>> parse_bytes("256MiB") == 256 * 2**20, parse_bytes("1.5kB")
    (True, 1500)
    """
    rule = "must be a whole number of bytes, as 256MiB or 500MB (ki is 1024, k is 1000)"
    return _parse(text, 1000, "b", rule)


def parse_capacities(text: str) -> list[int]:
    """Reads numbers of tokens with commas between them, as ``2k,4096``.

    Raises:
        BadParameter: One of them is no such number.

    >>> parse_capacities("2k,4096")
    [2048, 4096]
    """
    try:
        return [parse_tokens(part) for part in text.split(",")]
    except typer.BadParameter as error:
        raise typer.BadParameter(error.message, param_hint="'--max-len'") from None


def _parse(text: object, thousand: int, suffix: str, rule: str) -> int:
    # The command line gives the text, and a default as it is.
    match = _AMOUNT.fullmatch(str(text).strip())
    if match is not None:
        number, unit, binary, byte = match[1], *(part.lower() for part in match.groups()[1:])
        amount = Fraction(number) * (1024 if binary else thousand) ** _POWERS[unit]
        has_legal_unit = byte in ("", suffix) and not (binary and not unit)
        if has_legal_unit and amount.denominator == 1:
            return int(amount)
    raise typer.BadParameter(f"{rule}, got {shown(text)}")
