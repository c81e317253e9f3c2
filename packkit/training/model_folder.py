"""What a folder of a model may name: weights that are tensors, and nothing that is code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from packkit.base.errors import InputError
from packkit.base.files import read_file
from packkit.base.values import shown

_WEIGHTS = re.compile(r"[\w-][\w.-]*\.safetensors")


def check_model_folder(folder: str | Path) -> None:
    """Checks that a folder of a model names no pickles, no files elsewhere and no code to fetch.

    Args:
        folder: Folder of a model; a hub id is left to transformers, which checks what it fetches.

    Raises:
        InputError: A file of the folder is no JSON, or names something that is not a tensor's file.
    """
    for index in sorted(Path(folder).glob("*.index.json")):
        weights = _read(index).get("weight_map")
        names = weights.values() if isinstance(weights, Mapping) else [weights]
        for name in names:
            if not (isinstance(name, str) and _WEIGHTS.fullmatch(name)):
                detail = f"must name safetensors files of its folder, got {shown(name)}"
                raise InputError(f"{index}: weight_map {detail}")
    config = Path(folder) / "config.json"
    if config.is_file():
        for key, value in _implementations(_read(config)):
            # transformers fetches and loads compiled code that has such a name.
            if "/" in value:
                raise InputError(f"{config}: {key} must not name code to fetch, got {shown(value)}")


def _read(path: Path) -> dict[str, Any]:
    try:
        fields = orjson.loads(read_file(path))
    except (OSError, orjson.JSONDecodeError) as error:
        raise InputError(f"{path}: cannot read it: {error}") from error
    if not isinstance(fields, dict):
        raise InputError(f"{path}: must hold an object, got {shown(fields)}")
    return fields


def _implementations(value: Any, key: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401
    """Yields every text below a key that names an implementation, with that key."""
    if isinstance(value, str) and key:
        yield key, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _implementations(inner, key or name * name.endswith("_implementation"))
    elif isinstance(value, list):
        for inner in value:
            yield from _implementations(inner, key)
