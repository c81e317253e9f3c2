"""Containers and layouts by name: packkit's own from a table, all others through entry points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import TypeVar

from packkit.base.errors import InputError
from packkit.sources.base import Container, Layout
from packkit.sources.containers.arrow_file import ArrowFile
from packkit.sources.containers.csv_table import CsvTable, TsvTable
from packkit.sources.containers.json_array import JsonArray, JsonObject, JsonSplits
from packkit.sources.containers.json_lines import JsonLines
from packkit.sources.containers.packs import PackFile, PackLines
from packkit.sources.containers.parquet import Parquet
from packkit.sources.containers.pipe_lines import PipeLines
from packkit.sources.containers.tar import Tar
from packkit.sources.layouts.conversations import CauldronLayout, LlavaLayout, MessagesLayout
from packkit.sources.layouts.mmc4 import Mmc4Layout
from packkit.sources.layouts.obelics import ObelicsLayout
from packkit.sources.layouts.open_qwen2vl import OpenQwen2vlLayout
from packkit.sources.layouts.packkit import PackkitLayout
from packkit.sources.layouts.prompts import PromptLayout
from packkit.sources.layouts.tables import CaptionLayout, VqaLayout
from packkit.sources.layouts.webdataset import WebdatasetLayout

T = TypeVar("T", type[Container], type[Layout])

CONTAINERS: tuple[type[Container], ...] = (
    ArrowFile,
    CsvTable,
    JsonArray,
    JsonLines,
    JsonObject,
    JsonSplits,
    PackFile,
    PackLines,
    Parquet,
    PipeLines,
    Tar,
    TsvTable,
)
"""Packkit's own containers."""

LAYOUTS: tuple[type[Layout], ...] = (
    CaptionLayout,
    CauldronLayout,
    LlavaLayout,
    MessagesLayout,
    Mmc4Layout,
    ObelicsLayout,
    OpenQwen2vlLayout,
    PackkitLayout,
    PromptLayout,
    VqaLayout,
    WebdatasetLayout,
)
"""Packkit's own layouts."""


@cache
def installed_containers() -> Mapping[str, Container]:
    """Returns every installed container by name, sorted.

    Raises:
        InputError: Two different containers have one name.
    """
    return {name: kind() for name, kind in _by_name(CONTAINERS, "packkit.containers").items()}


@cache
def installed_layouts() -> Mapping[str, type[Layout]]:
    """Returns every installed layout by name, sorted.

    Raises:
        InputError: Two different layouts have one name.
    """
    return _by_name(LAYOUTS, "packkit.layouts")


def container_named(name: str) -> Container:
    """Returns a container.

    Raises:
        InputError: No container of that name is installed.
    """
    if name not in installed_containers():
        raise InputError(
            f"no container {name!r} is installed; there are {', '.join(installed_containers())}"
        )
    return installed_containers()[name]


def layout_named(name: str, columns: Mapping[str, str]) -> Layout:
    """Returns a layout with the user's columns.

    Args:
        name: Name of the layout.
        columns: Role in the layout -> name of the field.

    Raises:
        InputError: No layout of that name is installed, or it has no such role.
    """
    if name not in installed_layouts():
        raise InputError(
            f"no layout {name!r} is installed; there are {', '.join(installed_layouts())}"
        )
    layout = installed_layouts()[name]
    if unknown := columns.keys() - set(layout.roles):
        roles = ", ".join(layout.roles) or "none"
        raise InputError(f"layout {name} has no column {sorted(unknown)[0]!r}; it has: {roles}")
    return layout(columns)


def _by_name(builtin: Sequence[T], group: str) -> dict[str, T]:
    """Returns packkit's own classes and those that entry points name."""
    installed: dict[str, T] = {}
    classes = [*builtin, *(entry.load() for entry in entry_points(group=group))]
    for added in sorted(classes, key=lambda kind: kind.name):
        kept = installed.setdefault(added.name, added)
        # The same class twice is no clash: entry points are those of the last installation.
        if kept is not added:
            places = (f"{kind.__module__}.{kind.__qualname__}" for kind in (kept, added))
            raise InputError(f"{' and '.join(places)} are both called {added.name!r}")
    return installed
