"""Names that a package loads on first use (PEP 562), so that its import stays cheap."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def lazy_names(
    package: str, modules: Mapping[str, Iterable[str]]
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """Returns the ``__all__``, ``__getattr__`` and ``__dir__`` of a package with lazy names.

    Args:
        package: The package's ``__name__``.
        modules: Names that the package offers, by the dotted path of their module below it.
    """
    owners = {name: module for module, names in modules.items() for name in names}

    def load(name: str) -> Any:  # noqa: ANN401
        if name not in owners:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{owners[name]}"), name)

    def list_names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *owners})

    return sorted(owners), load, list_names
