"""The data sets that packkit knows by name: how each is laid out, and where to get it.

The entries stand in ``catalog.toml``. Nothing is downloaded.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from packkit.base.errors import InputError

MODALITIES = (
    "CT",
    "MRI",
    "X-ray",
    "Ultrasound",
    "Pathology/Histology",
    "Endoscopy",
    "Fundus/OCT",
    "Dermoscopy",
    "Gross/Clinical photo",
    "PET/Nuclear",
    "Other medical",
    "General",
)
"""What a sample's modality may be, where it can be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """What is known of a data set.

    Attributes:
        name: Name that mixtures and commands use.
        title: Title that its authors use.
        layout: Name of the layout of its records.
        files: The file or files to name as input, and what must stand beside them.
        where: Hub id, or address of the page, from which to get it.
        samples: Number of records in those files as published; None where that is not stated.
        licence: Licence that its page states.
        note: Remarks that a user should know beforehand.
        excluded: Whether the paper left the data set out of training after its audit.
        modality: The one of `MODALITIES` that all samples have; None where they differ or none
            is known.
        modality_key: Field of ``meta`` that tells a sample's modality.
        modality_map: Value of the field `modality_key`, whatever its case -> one of `MODALITIES`.

    Raises:
        InputError: A modality is none of `MODALITIES`, or is told in two ways.
    """

    name: str
    title: str
    layout: str
    files: str
    where: str
    licence: str
    note: str
    samples: int | None = None
    excluded: bool = False
    modality: str | None = None
    modality_key: str | None = None
    modality_map: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        fixed = () if self.modality is None else (self.modality,)
        for value in (*fixed, *self.modality_map.values()):
            if value not in MODALITIES:
                known = ", ".join(MODALITIES)
                raise InputError(f"{self.name}: a modality must be one of {known}, got {value!r}")
        if fixed and self.modality_key is not None:
            raise InputError(f"{self.name}: modality and modality_key exclude each other")
        if (self.modality_key is None) != (not self.modality_map):
            raise InputError(f"{self.name}: modality_key and modality_map need each other")
        folded = {key.casefold(): value for key, value in self.modality_map.items()}
        object.__setattr__(self, "modality_map", folded)

    def modality_of(self, meta: Mapping[str, Any]) -> str | None:
        """Returns the modality of a sample; None where it cannot be told.

        A field that is an object of booleans tells it by the only key that is true.

        Args:
            meta: Metadata of the sample, as the layout gave it.
        """
        if self.modality is not None:
            return self.modality
        value = None if self.modality_key is None else meta.get(self.modality_key)
        if isinstance(value, Mapping):
            true = [key for key, is_so in value.items() if is_so is True]
            value = true[0] if len(true) == 1 else None
        if not isinstance(value, str):
            return None
        return self.modality_map.get(value.strip().casefold())

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form."""
        return {**asdict(self), "modality_map": dict(self.modality_map)}


@cache
def catalog() -> Mapping[str, DataSet]:
    """Returns every data set by name, in the order of the file."""
    tables = tomllib.loads(files(__package__).joinpath("catalog.toml").read_text("utf-8"))
    return {name: DataSet(name=name, **table) for name, table in tables.items()}


def data_set_named(name: str) -> DataSet:
    """Returns a data set.

    Raises:
        InputError: No data set of that name is known.
    """
    if name not in catalog():
        raise InputError(f"no data set {name!r} is known; there are {', '.join(catalog())}")
    return catalog()[name]


class _ModalityCatalog:
    """The catalog as mixtures ask it; see `packkit.mixture.modalities`."""

    modalities = MODALITIES

    def modality_of(self, data_set: str, meta: Mapping[str, Any]) -> str | None:
        """Returns the modality of a sample, where the data set is known and tells it."""
        return catalog()[data_set].modality_of(meta) if data_set in catalog() else None


modality_catalog = _ModalityCatalog()
"""The object that the entry point ``packkit.modalities`` names."""
