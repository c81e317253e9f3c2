"""Reading what a model said: two named sets of rules, and words that answers share with gold."""

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


def scorer_named(name: str, seed: int = 0) -> Scorer:
    """Returns a scorer.

    Args:
        name: One of `SCORERS`.
        seed: Of the draws of ``medevalkit``; ``strict`` draws nothing.

    Raises:
        InputError: There is none of that name.
    """
    if name == MedEvalKitScorer.name:
        return MedEvalKitScorer(seed)
    if name == StrictScorer.name:
        return StrictScorer()
    raise InputError(f"scorer must be one of {', '.join(SCORERS)}, got {name!r}")
