"""How many words an open answer shares with the gold one."""

from __future__ import annotations

from typing import NamedTuple


class Overlap(NamedTuple):
    """Shares of distinct words that an answer has in common with the gold answer, each 0 to 1.

    Attributes:
        precision: Share of the answer's words that the gold answer has too.
        recall: Share of the gold answer's words that the answer has too.
        f1: Harmonic mean of precision and recall.
    """

    precision: float
    recall: float
    f1: float


def token_overlap(answer: str, gold: str) -> Overlap:
    """Compares the sets of words, split at white space and without regard to case.

    >>> token_overlap("the left lung", "Left lung")
    Overlap(precision=0.6666666666666666, recall=1.0, f1=0.8)
    """
    words, gold_words = set(answer.lower().split()), set(gold.lower().split())
    common = len(words & gold_words)
    if not common:
        return Overlap(0.0, 0.0, 0.0)
    precision, recall = common / len(words), common / len(gold_words)
    return Overlap(precision, recall, 2 * precision * recall / (precision + recall))
