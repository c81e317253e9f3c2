"""The five dimensions in which the quality of a sample is judged."""

from __future__ import annotations

__all__ = ["DIMENSIONS", "IMAGING_RELEVANCE", "OVERALL", "SCORES"]

IMAGING_RELEVANCE = "imaging_relevance"
"""Fixed at 1 where a sample has no image, and then left out of averages."""

DIMENSIONS = ("accuracy", "clarity", "completeness", IMAGING_RELEVANCE, "practicality")

OVERALL = "overall"

SCORES = (1, 2, 3, 4, 5)
