"""packkit: sequence packing and dataloading for training vision-language models.

Names are loaded on first use (PEP 562), so that ``import packkit`` stays free of numba, pyarrow
and torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packkit.errors import PackkitError as PackkitError
    from packkit.schema import Message as Message
    from packkit.schema import Origin as Origin
    from packkit.schema import Pack as Pack
    from packkit.schema import Sample as Sample

__version__ = "0.1.0"

_OWNERS = {
    "Message": "packkit.schema",
    "Origin": "packkit.schema",
    "Pack": "packkit.schema",
    "PackkitError": "packkit.errors",
    "Sample": "packkit.schema",
}

__all__ = ["Message", "Origin", "Pack", "PackkitError", "Sample"]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in _OWNERS:
        raise AttributeError(f"module 'packkit' has no attribute {name!r}")
    return getattr(importlib.import_module(_OWNERS[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
