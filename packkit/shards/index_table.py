"""The Arrow table of an index: its schema, and its rows gathered into the one batch of the file."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from packkit.shards.index_columns import (
    FORMAT_VERSION,
    ImageRow,
    IndexRow,
    PackRow,
    Row,
    SampleRow,
    columns_of,
)

_VERSION = b"packkit.format_version"
# Columns of the table that hold a list of structs for each pack.
_LISTS: dict[str, type[Row]] = {"samples": SampleRow, "images": ImageRow}

# Type codes of Python's arrays.
_CODES = {"int32": "i", "int64": "q", "uint64": "Q"}

_LABELS = [
    column.labels
    for level in (PackRow, *_LISTS.values())
    for column in columns_of(level).values()
    if column.labels is not None
]


def index_schema(
    *, is_folder: bool, labels: Mapping[str, Sequence[str]] | None = None
) -> pa.Schema:
    """Returns the schema of an index.

    Args:
        is_folder: Whether every pack has a file of its own, named in a column.
        labels: Lists of labels by name, in the order of their numbers; none by default.
    """
    fields = _fields(PackRow)
    if is_folder:
        fields.append(pa.field("file", pa.string(), nullable=False))
    for name, level in _LISTS.items():
        item = pa.field("item", pa.struct(_fields(level)), nullable=False)
        fields.append(pa.field(name, pa.list_(item), nullable=False))
    metadata = {_VERSION: b"%d" % FORMAT_VERSION}
    metadata |= {_label_key(name): orjson.dumps(texts) for name, texts in (labels or {}).items()}
    return pa.schema(fields, metadata)


def index_labels(schema: pa.Schema) -> dict[str, tuple[str, ...]]:
    """Returns the lists of labels by name, once the schema is seen to be that of an index.

    Raises:
        ValueError: The schema has another version or other columns.
    """
    metadata = schema.metadata or {}
    if (version := metadata.get(_VERSION)) != b"%d" % FORMAT_VERSION:
        raise ValueError(f"format_version must be {FORMAT_VERSION}, got {version!r}")
    if not schema.equals(index_schema(is_folder="file" in schema.names)):
        raise ValueError(f"the columns are not those of format_version {FORMAT_VERSION}")
    return {name: tuple(orjson.loads(metadata.get(_label_key(name), b""))) for name in _LABELS}


class IndexBuilder:
    """The index of a shard while it grows; a row takes no more memory than it will in the file.

    Args:
        is_folder: Whether every pack has a file of its own.
    """

    def __init__(self, *, is_folder: bool) -> None:
        self._is_folder = is_folder
        self._files: list[str] = []
        # Labels are numbered as they first appear.
        self._labels: dict[str, dict[str, int]] = {name: {} for name in _LABELS}
        self._pack = _GrowingColumns(PackRow, self._labels)
        self._samples = _GrowingColumns(SampleRow, self._labels)
        self._images = _GrowingColumns(ImageRow, self._labels)
        self._first_sample, self._first_image = array("i", [0]), array("i", [0])

    @property
    def packs(self) -> int:
        """Packs so far."""
        return len(self._first_sample) - 1

    @property
    def samples(self) -> int:
        """Samples so far."""
        return self._first_sample[-1]

    @property
    def images(self) -> int:
        """Images so far."""
        return self._first_image[-1]

    def append(self, row: IndexRow) -> None:
        """Adds the next pack."""
        self._pack.append(row.pack)
        for sample in row.samples:
            self._samples.append(sample)
        for image in row.images:
            self._images.append(image)
        if row.file is not None:
            self._files.append(row.file)
        self._first_sample.append(self.samples + len(row.samples))
        self._first_image.append(self.images + len(row.images))

    def to_bytes(self) -> bytes:
        """Returns the index file."""
        labels = {name: list(numbers) for name, numbers in self._labels.items()}
        schema = index_schema(is_folder=self._is_folder, labels=labels)
        columns = dict(zip(columns_of(PackRow), self._pack.arrays(), strict=True))
        for name, first, level in (
            ("samples", self._first_sample, self._samples),
            ("images", self._first_image, self._images),
        ):
            type = schema.field(name).type
            structs = pa.StructArray.from_arrays(
                level.arrays(), fields=list(type.value_type.fields)
            )
            columns[name] = pa.ListArray.from_arrays(_arrow(first), structs, type=type)
        if self._is_folder:
            columns["file"] = pa.array(self._files, pa.string())
        batch = pa.record_batch([columns[name] for name in schema.names], schema=schema)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, schema) as writer:
            writer.write_batch(batch)
        data: bytes = sink.getvalue().to_pybytes()
        return data


class _GrowingColumns:
    """The columns of one level, a value longer with each row."""

    def __init__(self, level: type[Row], labels: Mapping[str, dict[str, int]]) -> None:
        columns = columns_of(level).values()
        self._values = [array(_CODES[column.type]) for column in columns]
        self._numbers = [labels.get(column.labels or "") for column in columns]

    def append(self, row: Row) -> None:
        for values, numbers, value in zip(self._values, self._numbers, row, strict=True):
            if numbers is not None:
                value = -1 if value is None else numbers.setdefault(value, len(numbers))
            values.append(value)

    def arrays(self) -> list[pa.Array]:
        return [_arrow(values) for values in self._values]


def index_path(shard: Path, *, is_folder: bool) -> Path:
    """Returns where the index of a shard stands.

    Args:
        shard: File of packs, or folder of files with one pack each.
        is_folder: Whether the shard is a folder.

    >>> index_path(Path("packs/shard-00000.jsonl"), is_folder=False).as_posix()
    'packs/shard-00000.index.arrow'
    >>> index_path(Path("packs/shard-00000"), is_folder=True).as_posix()
    'packs/shard-00000/packs.index.arrow'
    """
    return shard / "packs.index.arrow" if is_folder else shard.with_suffix(".index.arrow")


def _fields(level: type[Row]) -> list[pa.Field[Any]]:
    return [
        pa.field(name, pa.type_for_alias(column.type), nullable=False)
        for name, column in columns_of(level).items()
    ]


def _label_key(name: str) -> bytes:
    return f"packkit.{name}".encode()


def _arrow(values: array[int]) -> pa.Array:
    return pa.array(np.asarray(values))
