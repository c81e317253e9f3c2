"""Named, versioned filters: which samples of a source a mixture may take.

To add one, write a class that keeps the protocol `Filter` and name it under the entry points
``packkit.filters``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, ClassVar, Protocol

from packkit.base.checked_toml import check_tables
from packkit.base.errors import InputError
from packkit.samples import Sample


class Filter(Protocol):
    """Decides which samples a mixture may take."""

    name: ClassVar[str]
    version: ClassVar[int]
    """Raised whenever it decides otherwise on any sample."""
    options: ClassVar[type[Any]]
    """Dataclass of what a mixture may set, checked by `packkit.base.checked_toml.check_tables`."""

    def __init__(self, options: Any, data: Path) -> None:  # noqa: ANN401
        """Makes the filter of its options and the folder under which a mixture's files lie."""

    def drops(self, sample: Sample, key: int) -> bool:
        """Whether the sample is left out; safe to call from several threads.

        Args:
            sample: Sample to decide on.
            key: `sample_key` of the sample.
        """

    def describe(self) -> Mapping[str, Any]:
        """Returns the options and inputs that its decisions depend on, as JSON values."""


def label(filter_: Filter) -> str:
    """Returns name and version, as a lock states them: ``no-refusal@1``."""
    return f"{filter_.name}@{filter_.version}"


@cache
def installed_filters() -> Mapping[str, type[Filter]]:
    """Returns every installed filter by name."""
    loaded = (entry.load() for entry in entry_points(group="packkit.filters"))
    return {kind.name: kind for kind in sorted(loaded, key=lambda kind: kind.name)}


def make_filters(specs: Sequence[str | Mapping[str, Any]], data: Path) -> list[Filter]:
    """Makes the filters of a source.

    Args:
        specs: Names, as ``no-refusal`` or ``no-refusal@1``, or tables of a name and options.
        data: Folder under which a mixture's files lie.

    Raises:
        InputError: No filter of that name or version is installed, its options are not legal, or
            it is named twice.
    """
    filters = [_make(spec, data) for spec in specs]
    labels = [label(filter_) for filter_ in filters]
    if repeated := [name for name in labels if labels.count(name) > 1]:
        raise InputError(f"filter {repeated[0]} is named twice")
    return filters


def _make(spec: str | Mapping[str, Any], data: Path) -> Filter:
    options = {} if isinstance(spec, str) else {**spec}
    named = spec if isinstance(spec, str) else options.pop("name", "")
    name, at, version = str(named).partition("@")
    if name not in installed_filters():
        known = ", ".join(installed_filters())
        raise InputError(f"no filter {name!r} is installed; there are {known}")
    kind = installed_filters()[name]
    if at and version != str(kind.version):
        raise InputError(f"filter {name} is of version {kind.version} here, {version!r} is wanted")
    return kind(check_tables(kind.options, options, f"filter {name}", extra="mix"), data)
