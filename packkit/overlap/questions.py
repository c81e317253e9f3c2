"""Questions as they are compared, whatever their case, width, white space and punctuation."""

from __future__ import annotations

import unicodedata

from packkit.schema import Sample

__all__ = ["normalized", "question_of"]


def normalized(text: str) -> str:
    """Returns a text in Unicode's compatibility form, folded, as words with single spaces.

    >>> normalized("  Is this  a CT?\\n") == normalized("is this a ct")
    True
    >>> normalized("这是ＣＴ吗？")
    '这是ct吗'
    """
    # Folding can undo the form, and the form can undo the folding: twice each is stable.
    for _ in range(2):
        text = unicodedata.normalize("NFKC", text).casefold()
    kept = (" " if unicodedata.category(one)[0] in "PSZC" else one for one in text)
    return " ".join("".join(kept).split())


def question_of(sample: Sample) -> str:
    """Returns what the user of a dialogue asks, normalized; empty for a document."""
    turns = (message for message in sample.messages or () if message.role == "user")
    return normalized(" ".join(part for turn in turns for part in turn.content if part))
