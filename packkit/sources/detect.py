"""Tells a file's container by its ending and first bytes, and its layout by a record's keys."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from packkit.base.errors import FormatError, InputError, SampleError
from packkit.sources.base import Container, Fields, Span
from packkit.sources.compression import COMPRESSIONS, inner_name
from packkit.sources.containers.json_lines import BYTE_ORDER_MARK, Line, read_lines
from packkit.sources.registry import (
    container_named,
    installed_containers,
    installed_layouts,
    layout_named,
)

_JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")
_HEAD_BYTES = 1 << 20
_KEY = re.compile(r'\s*[{,]\s*"([^"\\]*)"\s*:\s*')
# What may be said of a whole file before its records.
_TITLE_KEYS = frozenset(
    {"version", "name", "title", "info", "description", "date", "year", "source", "url", "homepage"}
    | {"license", "licenses", "author", "citation", "split", "task_type", "data_type"}
    | {"data_subtype", "dataset", "dataset_name", "language", "count", "total"}
)
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_PACK_KEYS = ("data", "lengths")
_PACK_HEAD = re.compile(rb'\s*\{\s*"(?:data|lengths)"\s*:\s*\[')


def detect_container(name: str, path: Path) -> Container:
    """Returns the container of a file, by its ending and, for JSON, by its first bytes.

    Args:
        name: Name of the input file, whose ending decides.
        path: The file without compression.

    Raises:
        InputError: No container has this ending.
        FormatError: A JSON file is UTF-16, or has objects of several lines where lines are read.
    """
    lower = inner_name(name).lower()
    if lower.endswith(_JSON_SUFFIXES):
        return container_named(_detect_json(path, is_lines=not lower.endswith(".json")))
    for container in installed_containers().values():
        if lower.endswith(container.suffixes):
            return container
    known = sorted(suffix for c in installed_containers().values() for suffix in c.suffixes)
    packed = ", ".join(COMPRESSIONS)
    raise InputError(
        f"{name}: unknown ending; packkit reads {', '.join(known)}, also compressed, as {packed}"
    )


def _detect_json(path: Path, *, is_lines: bool) -> str:
    with open(path, "rb") as file:
        # The only line of an array may be all of a large file.
        head = file.read(_HEAD_BYTES).removeprefix(BYTE_ORDER_MARK)
    if head.startswith(_UTF_16_MARKS):
        raise FormatError(path.name, "is UTF-16, must be UTF-8: iconv -f UTF-16 -t UTF-8")
    if head.lstrip().startswith(b"["):
        return "json-array"
    if not is_lines and (splits := _container_of_arrays(head)) is not None:
        return splits
    lines = read_lines(path, Span(0, path.stat().st_size))
    first, second = (next(lines, Line(0, 0, b"")).data for _ in range(2))
    if is_lines and first.strip() == b"{":
        raise FormatError(
            path.name, "has objects of several lines, must have one a line, as jq -c writes"
        )
    # Many call JSON lines .json: then a line ends its object, and another begins one.
    is_lines = is_lines or (first.rstrip().endswith(b"}") and second.lstrip().startswith(b"{"))
    if is_lines:
        return "pack-lines" if _PACK_HEAD.match(first) else "jsonl"
    return "pack-file" if _key_of_first_array(head) in _PACK_KEYS else "json-object"


def _container_of_arrays(head: bytes) -> str | None:
    """Returns the container of a file that is one object of arrays, if its first one tells it."""
    key = _key_of_first_array(head)
    names = (
        container.name
        for container in installed_containers().values()
        if key in container.first_keys
    )
    return next(names, None)


def _key_of_first_array(head: bytes) -> str | None:
    """Returns the key of the first array in an object, where only a title stands before it."""
    decoder, text, position = json.JSONDecoder(), head.decode(errors="replace"), 0
    while match := _KEY.match(text, position):
        if text.startswith("[", match.end()):
            return match[1]
        if match[1] not in _TITLE_KEYS:
            return None
        try:
            _, position = decoder.raw_decode(text, match.end())
        except (ValueError, RecursionError):
            return None
    return None


def detect_layout(name: str, path: Path, container: Container, columns: Mapping[str, str]) -> str:
    """Returns the name of the layout that fits a file's first record that can be read.

    Raises:
        InputError: No layout fits the record, or several do.
    """
    fields = _first_fields(path, container)
    if container.layouts:
        *special, last = container.layouts
        told = (layout for layout in special if layout_named(layout, {}).matches(fields or {}))
        if (layout := next(told, None)) is not None:
            return layout
        # What is called data may be any list of records, and no pack.
        if fields is None or {"messages", "content"} & fields.keys():
            return last
    candidates = [
        layout for layout in installed_layouts().values() if columns.keys() <= set(layout.roles)
    ]
    if not candidates:
        raise InputError(f"no layout has the columns {', '.join(sorted(columns))}")
    if fields is None:
        # Nothing can be read: whatever the layout, every record is rejected and counted.
        return candidates[0].name
    fitting = [layout.name for layout in candidates if layout(columns).matches(fields)]
    if len(fitting) == 1:
        return fitting[0]
    keys = ", ".join(sorted(fields))
    if fitting:
        raise InputError(
            f"{name}: could be {' or '.join(fitting)} (keys: {keys}); name one of them as layout"
        )
    raise InputError(
        f"{name}: no known layout has the keys {keys}; "
        "packkit inspect shows what it holds; name its fields with layout and columns, or leave "
        "the file out"
    )


def _first_fields(path: Path, container: Container) -> Fields | None:
    """Returns the first record that can be read, if there is one."""
    # To cut some kinds of files into spans costs a reading of the whole.
    for record in container.scan(path, Span(0, path.stat().st_size)):
        if not isinstance(record.fields, SampleError):
            return record.fields
    return None
