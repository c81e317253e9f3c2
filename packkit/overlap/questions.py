"""Questions as they are compared, whatever their case, width, white space and punctuation."""

from __future__ import annotations

import unicodedata

from packkit.samples import Sample


def normalized(text: str) -> str:
    """Returns a text in Unicode's compatibility form, folded, as words with single spaces.

    >>> normalized("  Is this  a CT?\\n") == normalized("is this a ct")
    True
    >>> normalized("这是ＣＴ吗？")
    '这是ct吗'
    """
    # Each step can undo another one: twice all of them is stable.
    for _ in range(2):
        text = "".join(character for character in text if unicodedata.category(character) != "Cf")
        text = unicodedata.normalize("NFKC", text).casefold()
    # Symbols stay: a lesion of < 5 mm is none of > 5 mm, and HER2+ is not HER2-.
    separates = ("P", "Z", "Cc")
    kept = (
        " " if unicodedata.category(character).startswith(separates) else character
        for character in text
    )
    return " ".join("".join(kept).split())


def questions_of(sample: Sample) -> frozenset[str]:
    """Returns what the user of a dialogue asks, normalized, turn by turn; nothing for a document.

    Turn by turn, since training sets join many questions about an image into one dialogue.
    """
    turns = (message.content for message in sample.messages or () if message.role == "user")
    asked = (normalized(" ".join(part for part in turn if part)) for turn in turns)
    return frozenset(filter(None, asked))
