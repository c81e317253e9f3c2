"""The leak check: samples of an evaluation set in training data, by image and by question."""

from packkit.overlap.check import Hit, OverlapReport, find_overlap

__all__ = ["Hit", "OverlapReport", "find_overlap"]
