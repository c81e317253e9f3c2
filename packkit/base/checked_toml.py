"""TOML files written by hand: read, and checked key by key against a dataclass."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from packkit.base.errors import InputError, MissingExtraError

T = TypeVar("T")


def read_tables(path: Path) -> dict[str, Any]:
    """Reads a TOML file.

    Args:
        path: File to read, UTF-8.

    Raises:
        InputError: The file cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot read it: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not TOML: {error}") from error


def check_tables(kind: type[T], tables: Mapping[str, Any], place: str | Path, *, extra: str) -> T:
    """Makes a dataclass, and the dataclasses in its fields, from the tables of a TOML file.

    A dataclass whose ``__pydantic_config__`` forbids extra keys refuses unknown ones; a
    ValueError from its ``__post_init__`` is reported as an error of its table.

    Args:
        kind: Dataclass to make.
        tables: Parsed content of the file.
        place: Name of the file, for messages.
        extra: Extra of packkit that installs pydantic for this caller.

    Raises:
        InputError: A key is unknown, missing or has an illegal value; all such keys are named.
        MissingExtraError: The package pydantic is not installed.
    """
    try:
        from pydantic import TypeAdapter, ValidationError
    except ImportError as error:
        raise MissingExtraError("pydantic", extra) from error
    try:
        text = json.dumps(tables)
    except TypeError as error:
        raise InputError(f"{place}: holds a value of no recipe: {error}") from error
    try:
        # As JSON: from Python's own objects a strict check would make no dataclass.
        return TypeAdapter(kind).validate_json(text)
    except ValidationError as error:
        raise InputError(f"{place}: {'; '.join(_describe(error.errors()))}") from error


def _describe(errors: Sequence[Any]) -> Iterator[str]:
    """Yields a line for each key with what is wrong with it."""
    # A value that fits no branch of a union has an error for each branch.
    by_key: dict[tuple[int | str, ...], list[Any]] = {}
    for error in errors:
        by_key.setdefault(_key(error["loc"]), []).append(error)
    for key, (first, *others) in by_key.items():
        name = ".".join(map(str, key))
        is_whole = len(first["loc"]) <= len(key)
        if first["type"] == "unexpected_keyword_argument":
            yield f"{name} is no key of a recipe"
        elif is_whole and first["type"] in ("missing", "missing_keyword_only_argument"):
            yield f"{name} is missing"
        elif first["type"] == "value_error":
            # The check of a table names the key itself.
            yield ".".join(filter(None, (name, str(first["ctx"]["error"]))))
        elif not first["msg"].startswith("Input should be "):
            yield f"{name}: {first['msg']}, got {first['input']!r}"
        else:
            wanted = [error["msg"].removeprefix("Input should be ") for error in (first, *others)]
            yield f"{name} must be {', or '.join(dict.fromkeys(wanted))}, got {first['input']!r}"


def _key(place: Sequence[int | str]) -> tuple[int | str, ...]:
    """Returns the table and the key of an error, without what lies inside the value."""
    names = 0
    for depth, part in enumerate(place, 1):
        names += isinstance(part, str)
        if names == 2:
            return tuple(place[:depth])
    return tuple(place)
