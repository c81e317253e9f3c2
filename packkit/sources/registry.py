"""Containers and layouts by name, found through entry points."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points

from packkit.base.errors import InputError
from packkit.sources.base import Container, Layout


@cache
def installed_containers() -> Mapping[str, Container]:
    """Returns every installed container by name."""
    loaded = (entry.load()() for entry in entry_points(group="packkit.containers"))
    return {container.name: container for container in sorted(loaded, key=lambda c: c.name)}


@cache
def installed_layouts() -> Mapping[str, type[Layout]]:
    """Returns every installed layout by name."""
    loaded = (entry.load() for entry in entry_points(group="packkit.layouts"))
    return {layout.name: layout for layout in sorted(loaded, key=lambda c: c.name)}


def container_named(name: str) -> Container:
    """Returns a container.

    Raises:
        InputError: None of that name is installed.
    """
    if name not in installed_containers():
        raise InputError(
            f"no container {name!r} is installed; there are {', '.join(installed_containers())}"
        )
    return installed_containers()[name]


def layout_named(name: str, columns: Mapping[str, str]) -> Layout:
    """Returns a layout with the user's columns.

    Args:
        name: The layout.
        columns: Role in the layout -> name of the field.

    Raises:
        InputError: None of that name is installed, or it has no such role.
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
