"""The leak check: samples of an evaluation set in training data, by image and by question."""

from packkit.overlap.check import Hit, OverlapReport, find_overlap
from packkit.overlap.sides import OverlapSide, Place

__all__ = ["Hit", "OverlapReport", "OverlapSide", "Place", "find_overlap"]
