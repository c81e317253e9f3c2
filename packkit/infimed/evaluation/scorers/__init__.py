"""Scorers, which read replies: two named sets of rules, and the overlap of words with the gold."""

from packkit.base.errors import InputError
from packkit.infimed.evaluation.scorers.base import Reading, Scorer
from packkit.infimed.evaluation.scorers.medevalkit import MedEvalKitScorer
from packkit.infimed.evaluation.scorers.overlap import Overlap, token_overlap
from packkit.infimed.evaluation.scorers.strict import StrictScorer

__all__ = [
    "SCORERS",
    "MedEvalKitScorer",
    "Overlap",
    "Reading",
    "Scorer",
    "StrictScorer",
    "scorer_named",
    "token_overlap",
]

SCORERS = (MedEvalKitScorer.name, StrictScorer.name)
"""The names of the scorers."""


def scorer_named(name: str, seed: int = 0) -> Scorer:
    """Returns a scorer.

    Args:
        name: Name of the scorer, one of `SCORERS`.
        seed: Seed of what ``medevalkit`` draws at random; ``strict`` draws nothing.

    Raises:
        InputError: No scorer has this name.
    """
    if name == MedEvalKitScorer.name:
        return MedEvalKitScorer(seed)
    if name == StrictScorer.name:
        return StrictScorer()
    raise InputError(f"scorer must be one of {', '.join(SCORERS)}, got {name!r}")
