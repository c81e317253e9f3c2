"""Modalities that samples are counted under, from catalogs that other packages install.

A catalog is an object that keeps the protocol `ModalityCatalog`, named under the entry points
``packkit.modalities``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Protocol

UNKNOWN = "unknown"
"""Modality of a sample that no catalog and no mixture tells."""


class ModalityCatalog(Protocol):
    """Knows data sets by name, and how their samples tell their modality."""

    @property
    def modalities(self) -> Sequence[str]:
        """Modalities that a sample can have."""

    def modality_of(self, data_set: str, meta: Mapping[str, Any]) -> str | None:
        """Returns the modality of a sample, where it can be told.

        Args:
            data_set: Name that a mixture uses for the data set.
            meta: Metadata of the sample, as its layout gave it.
        """


@cache
def _catalogs() -> Sequence[ModalityCatalog]:
    entries = sorted(entry_points(group="packkit.modalities"), key=lambda entry: entry.name)
    return [entry.load() for entry in entries]


def known_modalities() -> list[str]:
    """Returns every modality that an installed catalog has, in the order of the catalogs."""
    return list(dict.fromkeys(name for catalog in _catalogs() for name in catalog.modalities))


def modality_of(data_set: str, meta: Mapping[str, Any]) -> str:
    """Returns the modality of a sample by the first catalog that tells it, else `UNKNOWN`.

    Args:
        data_set: Name that a mixture uses for the data set.
        meta: Metadata of the sample, as its layout gave it.
    """
    told = (catalog.modality_of(data_set, meta) for catalog in _catalogs())
    return next((modality for modality in told if modality is not None), UNKNOWN)
