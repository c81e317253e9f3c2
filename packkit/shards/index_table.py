"""The Arrow table of an index: its schema, and its rows gathered into the one batch of the file."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from packkit.shards.index_columns import (
    FORMAT_VERSION,
    LABEL_LISTS,
    ImageRow,
    IndexRow,
    PackRow,
    SampleRow,
    columns_of,
)

_VERSION = b"packkit.format_version"
_LISTS: dict[str, type[Any]] = {"samples": SampleRow, "images": ImageRow}
"""Columns of the table that hold a list of structs for each pack."""


def index_schema(*, is_folder: bool, labels: Mapping[str, Sequence[str]]) -> pa.Schema:
    """Returns the schema of an index.

    Args:
        is_folder: Whether every pack has a file of its own, named in a column.
        labels: Lists of labels by name, each in the order of their numbers.
    """
    fields = _fields(PackRow)
    if is_folder:
        fields.append(pa.field("file", pa.string(), nullable=False))
    for name, level in _LISTS.items():
        item = pa.field("item", pa.struct(_fields(level)), nullable=False)
        fields.append(pa.field(name, pa.list_(item), nullable=False))
    metadata = {_VERSION: b"%d" % FORMAT_VERSION}
    metadata |= {_label_key(name): orjson.dumps(texts) for name, texts in labels.items()}
    return pa.schema(fields, metadata)


def index_labels(schema: pa.Schema) -> dict[str, tuple[str, ...]]:
    """Returns the lists of labels by name, once the schema is seen to be that of an index.

    Raises:
        ValueError: The schema has another version or other columns, or its labels are no texts.
    """
    metadata = schema.metadata or {}
    if (version := metadata.get(_VERSION)) != b"%d" % FORMAT_VERSION:
        raise ValueError(f"format_version must be {FORMAT_VERSION}, got {version!r}")
    if not schema.equals(index_schema(is_folder="file" in schema.names, labels={})):
        raise ValueError(f"the columns are not those of format_version {FORMAT_VERSION}")
    return {name: _read_labels(name, metadata.get(_label_key(name), b"")) for name in LABEL_LISTS}


def _read_labels(name: str, data: bytes) -> tuple[str, ...]:
    labels = orjson.loads(data)
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ValueError(f"{name} must be a list of strings")
    return tuple(labels)


class IndexBuilder:
    """The index of a shard while it grows; a row takes no more memory than it will in the file.

    Args:
        is_folder: Whether every pack has a file of its own.
    """

    def __init__(self, *, is_folder: bool) -> None:
        self._is_folder = is_folder
        self._files: list[str] = []
        self._labels: dict[str, dict[str, int]] = {name: {} for name in LABEL_LISTS}
        self._pack = self._growing(PackRow)
        self._lists = {name: self._growing(level) for name, level in _LISTS.items()}
        self._first = {name: array("i", [0]) for name in _LISTS}

    @property
    def packs(self) -> int:
        """Packs so far."""
        return len(self._first["samples"]) - 1

    @property
    def samples(self) -> int:
        """Samples so far."""
        return self._first["samples"][-1]

    @property
    def images(self) -> int:
        """Images so far."""
        return self._first["images"][-1]

    def append(self, row: IndexRow) -> None:
        """Adds the next pack."""
        _extend(self._pack, (row.pack,))
        if row.file is not None:
            self._files.append(row.file)
        _extend(self._lists["samples"], row.samples)
        _extend(self._lists["images"], row.images)
        self._first["samples"].append(self.samples + len(row.samples))
        self._first["images"].append(self.images + len(row.images))

    def to_bytes(self) -> bytes:
        """Returns the index file."""
        labels = {name: list(numbers) for name, numbers in self._labels.items()}
        schema = index_schema(is_folder=self._is_folder, labels=labels)
        columns = dict(zip(PackRow._fields, map(_to_arrow, self._pack), strict=True))
        for name, growing in self._lists.items():
            type = schema.field(name).type
            fields = list(type.value_type.fields)
            structs = pa.StructArray.from_arrays(list(map(_to_arrow, growing)), fields=fields)
            first = _to_arrow(self._first[name])
            columns[name] = pa.ListArray.from_arrays(first, structs, type=type)
        if self._is_folder:
            columns["file"] = pa.array(self._files, pa.string())
        batch = pa.record_batch([columns[name] for name in schema.names], schema=schema)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, schema) as writer:
            writer.write_batch(batch)
        data: bytes = sink.getvalue().to_pybytes()
        return data

    def _growing(self, level: type[Any]) -> list[array[int] | _LabelColumn]:
        """Returns an empty column for each of a class of rows, in their order."""
        growing: list[array[int] | _LabelColumn] = []
        for column in columns_of(level).values():
            values: array[int] = array(np.dtype(column.type).char, [])
            labels = column.labels
            growing.append(values if labels is None else _LabelColumn(values, self._labels[labels]))
        return growing


class _LabelColumn:
    """A column of labels while it grows.

    Args:
        values: Number of each label so far, -1 for None.
        numbers: Number of every label so far; labels are numbered as they first appear.
    """

    def __init__(self, values: array[int], numbers: dict[str, int]) -> None:
        self.values = values
        self._numbers = numbers

    def extend(self, labels: Iterable[str | None]) -> None:
        number, numbers = self._numbers.setdefault, self._numbers
        self.values.extend(
            [-1 if label is None else number(label, len(numbers)) for label in labels]
        )


def _extend(columns: Iterable[array[int] | _LabelColumn], rows: Sequence[tuple[Any, ...]]) -> None:
    # Turned into columns first: a call for each column is faster than one for each value.
    for column, values in zip(columns, zip(*rows, strict=True), strict=bool(rows)):
        column.extend(values)


def _to_arrow(column: array[int] | _LabelColumn) -> pa.Array:
    return pa.array(np.asarray(column.values if isinstance(column, _LabelColumn) else column))


def _fields(level: type[Any]) -> list[pa.Field[Any]]:
    return [
        pa.field(name, pa.type_for_alias(column.type), nullable=False)
        for name, column in columns_of(level).items()
    ]


def _label_key(name: str) -> bytes:
    return b"packkit." + name.encode()
