"""Gathers the rows of an index and writes them as the one Arrow record batch that they are."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from packkit.samples import Origin
from packkit.shards.index_schema import PackColumns, index_schema
from packkit.shards.rows import PackRow


class IndexBuilder:
    """The index of a shard while it grows; a row takes no more memory than it will in the file.

    Args:
        is_folder: Whether every pack has a file of its own.
    """

    def __init__(self, *, is_folder: bool) -> None:
        self._is_folder = is_folder
        self._files: list[str] = []
        # The codes of the types that the schema names, in its order.
        self._pack = [array(code) for code in "qqiQ"]
        self._sample = [array(code) for code in "iiiq"]
        self._image = [array(code) for code in "iqqiiiQ"]
        self._first_sample, self._first_image = array("i", [0]), array("i", [0])
        self._groups: dict[str, int] = {}
        self._origins: dict[str, int] = {}

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

    def append(self, row: PackRow) -> None:
        """Adds the next pack."""
        _append(self._pack, (row.offset, row.size, row.tokens, row.checksum))
        if row.file is not None:
            self._files.append(row.file)
        for length, group, origin in row.samples:
            label = -1 if group is None else _number(group, self._groups)
            _append(self._sample, (length, label, *self._origin(origin)))
        for image in row.images:
            _append(self._image, image)
        self._first_sample.append(self.samples + len(row.samples))
        self._first_image.append(self.images + len(row.images))

    def to_bytes(self) -> bytes:
        """Returns the index file."""
        schema = index_schema(
            is_folder=self._is_folder, groups=list(self._groups), origins=list(self._origins)
        )
        columns = dict(zip(PackColumns._fields, map(_column, self._pack), strict=True))
        columns["samples"] = _lists(self._first_sample, self._sample, schema.field("samples").type)
        columns["images"] = _lists(self._first_image, self._image, schema.field("images").type)
        if self._is_folder:
            columns["file"] = pa.array(self._files, pa.string())
        batch = pa.record_batch([columns[name] for name in schema.names], schema=schema)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, schema) as writer:
            writer.write_batch(batch)
        data: bytes = sink.getvalue().to_pybytes()
        return data

    def _origin(self, origin: Origin | None) -> tuple[int, int]:
        if origin is None:
            return -1, -1
        return _number(origin.source, self._origins), origin.position


def _append(columns: Sequence[array[int]], values: Iterable[int]) -> None:
    for column, value in zip(columns, values, strict=True):
        column.append(value)


def _number(label: str, numbers: dict[str, int]) -> int:
    """Returns the number of a label; labels are numbered as they first appear."""
    return numbers.setdefault(label, len(numbers))


def _column(values: array[int]) -> pa.Array:
    return pa.array(np.asarray(values))


def _lists(first: array[int], columns: Sequence[array[int]], type: pa.ListType) -> pa.Array:
    fields = list(type.value_type.fields)
    structs = pa.StructArray.from_arrays([_column(column) for column in columns], fields=fields)
    return pa.ListArray.from_arrays(_column(first), structs, type=type)
