"""How many words an open answer shares with the gold one."""

from __future__ import annotations

from typing import NamedTuple


class Overlap(NamedTuple):
    """Shares of distinct words, each 0 to 1.

    Attributes:
        precision: Of the answer's words, how many the gold answer has.
        recall: Of the gold answer's words, how many the answer has.
        f1: Their harmonic mean.
    """

    precision: float
    recall: float
    f1: float


def token_overlap(answer: str, gold: str) -> Overlap:
    """Compares the sets of words, split at white space, whatever their case.

    >>> token_overlap("the left lung", "Left lung")
    Overlap(precision=0.6666666666666666, recall=1.0, f1=0.8)
    """
    said, wanted = set(answer.lower().split()), set(gold.lower().split())
    common = len(said & wanted)
    if not common:
        return Overlap(0.0, 0.0, 0.0)
    precision, recall = common / len(said), common / len(wanted)
    return Overlap(precision, recall, 2 * precision * recall / (precision + recall))
