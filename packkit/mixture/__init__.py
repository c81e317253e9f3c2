"""Mixtures: exact amounts of many sources, chosen by hash, locked, and packed."""

from packkit.mixture.build import build_mixture
from packkit.mixture.filters import Filter
from packkit.mixture.lock import Count, Lock, LockedSource
from packkit.mixture.recipe import Mixture, MixtureSource, read_mixture
from packkit.mixture.resolve import resolve_mixture

__all__ = [
    "Count",
    "Filter",
    "Lock",
    "LockedSource",
    "Mixture",
    "MixtureSource",
    "build_mixture",
    "read_mixture",
    "resolve_mixture",
]
