"""How many tokens a request will have, before any server has counted them.

The rules are rough and rather too high than too low, as they decide what is spent:

- four ASCII characters make a token, any other character makes one;
- an image makes one for each square of 28 x 28 pixels, partial squares included.
"""

from __future__ import annotations

from math import ceil

_ASCII_PER_TOKEN = 4
_PATCH = 28


def estimate_text_tokens(text: str) -> int:
    """Returns about how many tokens a text has.

    >>> estimate_text_tokens("Axial CT of the chest."), estimate_text_tokens("胸部CT")
    (6, 3)
    """
    ascii_characters = len(text.encode("ascii", "ignore"))
    return len(text) - ascii_characters + ceil(ascii_characters / _ASCII_PER_TOKEN)


def estimate_image_tokens(width: int, height: int) -> int:
    """Returns about how many tokens an image of this size in pixels has.

    >>> estimate_image_tokens(1024, 768)
    1036
    """
    return ceil(width / _PATCH) * ceil(height / _PATCH)
