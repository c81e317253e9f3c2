"""The columns of an index: one row a pack, fixed integer types."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

FORMAT_VERSION = 2
"""Of the whole pack set; raised when a reader of the old one would misread the new one."""

_VERSION = b"packkit.format_version"
_GROUPS, _ORIGINS = b"packkit.groups", b"packkit.origins"


class PackColumns(NamedTuple):
    """Columns with one value a pack.

    Attributes:
        offset: int64 [packs], first byte of the JSON text in its file.
        size: int64 [packs], bytes of the text, line end left out.
        tokens: int32 [packs], sum of its lengths.
        checksum: uint64 [packs], xxh3_64 of the text.
    """

    offset: NDArray[np.int64]
    size: NDArray[np.int64]
    tokens: NDArray[np.int32]
    checksum: NDArray[np.uint64]


class SampleColumns(NamedTuple):
    """Columns with one value a sample, over all packs of the shard.

    Attributes:
        length: int32 [samples], tokens.
        group: int32 [samples], number of its label in `ShardIndex.groups`, or -1.
        origin: int32 [samples], number of its input in `ShardIndex.origins`, or -1.
        position: int64 [samples], number of the record in that input, or -1.
    """

    length: NDArray[np.int32]
    group: NDArray[np.int32]
    origin: NDArray[np.int32]
    position: NDArray[np.int64]


class ImageColumns(NamedTuple):
    """Columns with one value an image, over all packs of the shard.

    Attributes:
        sample: int32 [images], number of its sample in the pack.
        offset: int64 [images], first byte of its base64 in the file, the quote left out.
        size: int64 [images], bytes of its base64.
        width: int32 [images], pixels as displayed; 0 where there is no readable header.
        height: int32 [images], pixels as displayed; 0 likewise.
        tokens: int32 [images], tokens it takes; 0 past the cut, -1 where unknown.
        checksum: uint64 [images], xxh3_64 of the decoded bytes.
    """

    sample: NDArray[np.int32]
    offset: NDArray[np.int64]
    size: NDArray[np.int64]
    width: NDArray[np.int32]
    height: NDArray[np.int32]
    tokens: NDArray[np.int32]
    checksum: NDArray[np.uint64]


_INT32, _INT64, _UINT64 = pa.int32(), pa.int64(), pa.uint64()
_PACK_TYPES = (_INT64, _INT64, _INT32, _UINT64)
_SAMPLE_TYPES = (_INT32, _INT32, _INT32, _INT64)
_IMAGE_TYPES = (_INT32, _INT64, _INT64, _INT32, _INT32, _INT32, _UINT64)


def index_schema(*, is_folder: bool, groups: Sequence[str], origins: Sequence[str]) -> pa.Schema:
    """Returns the schema of an index.

    Args:
        is_folder: Whether every pack has a file of its own, named in a column.
        groups: Labels of samples, by number.
        origins: Names of inputs, by number.
    """
    fields = _required(PackColumns._fields, _PACK_TYPES)
    if is_folder:
        fields.append(pa.field("file", pa.string(), nullable=False))
    for name, group, types in (
        ("samples", SampleColumns._fields, _SAMPLE_TYPES),
        ("images", ImageColumns._fields, _IMAGE_TYPES),
    ):
        item = pa.field("item", pa.struct(_required(group, types)), nullable=False)
        fields.append(pa.field(name, pa.list_(item), nullable=False))
    metadata = {
        _VERSION: b"%d" % FORMAT_VERSION,
        _GROUPS: orjson.dumps(groups),
        _ORIGINS: orjson.dumps(origins),
    }
    return pa.schema(fields, metadata)


def index_labels(schema: pa.Schema) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns groups and origins, once the schema is seen to be that of an index.

    Raises:
        ValueError: It is another.
    """
    metadata = schema.metadata or {}
    if (version := metadata.get(_VERSION)) != b"%d" % FORMAT_VERSION:
        raise ValueError(f"format_version must be {FORMAT_VERSION}, got {version!r}")
    if not schema.equals(index_schema(is_folder="file" in schema.names, groups=(), origins=())):
        raise ValueError(f"the columns are not those of format_version {FORMAT_VERSION}")
    groups, origins = (orjson.loads(metadata.get(key, b"")) for key in (_GROUPS, _ORIGINS))
    return tuple(groups), tuple(origins)


def index_path(shard: Path, *, is_folder: bool) -> Path:
    """Returns where the index of a shard stands.

    Args:
        shard: A file of packs, or a folder of files with one pack each.
        is_folder: Which of them it is.

    >>> index_path(Path("packs/shard-00000.jsonl"), is_folder=False).as_posix()
    'packs/shard-00000.index.arrow'
    >>> index_path(Path("packs/shard-00000"), is_folder=True).as_posix()
    'packs/shard-00000/packs.index.arrow'
    """
    return shard / "packs.index.arrow" if is_folder else shard.with_suffix(".index.arrow")


def _required(names: Sequence[str], types: Sequence[pa.DataType]) -> list[pa.Field[Any]]:
    return [pa.field(name, type, nullable=False) for name, type in zip(names, types, strict=True)]
