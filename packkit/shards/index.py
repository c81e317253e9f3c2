"""The sidecar of a shard: where every pack and image stands, and what it must be.

One Arrow IPC file of one uncompressed record batch, one row a pack, fixed integer types. It is
mapped into memory and read as flat arrays without a copy, so opening costs no more than its
checksum. Labels are numbers; what they stand for is a JSON list in the schema's metadata. About
36 bytes a pack, 20 a sample and 44 an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import orjson
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from packkit.errors import ChecksumError, FormatError
from packkit.schema import Origin
from packkit.shards.rows import ImageRow, PackRow, SampleRow

__all__ = [
    "FORMAT_VERSION",
    "ImageColumns",
    "PackColumns",
    "SampleColumns",
    "ShardIndex",
    "index_path",
    "index_schema",
]

FORMAT_VERSION = 1
"""Of the whole pack set; raised when a reader of the old one would misread the new one."""

_VERSION = b"packkit.format_version"
_SOURCES, _ORIGINS = b"packkit.sources", b"packkit.origins"


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
        source: int32 [samples], number of its label in `ShardIndex.sources`, or -1.
        origin: int32 [samples], number of its input in `ShardIndex.origins`, or -1.
        position: int64 [samples], number of the record in that input, or -1.
    """

    length: NDArray[np.int32]
    source: NDArray[np.int32]
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


def index_schema(*, is_folder: bool, sources: Sequence[str], origins: Sequence[str]) -> pa.Schema:
    """Returns the schema of an index.

    Args:
        is_folder: whether every pack has a file of its own, named in a column.
        sources: labels of samples, by number.
        origins: names of inputs, by number.
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
        _SOURCES: orjson.dumps(sources),
        _ORIGINS: orjson.dumps(origins),
    }
    return pa.schema(fields, metadata)


def index_path(shard: Path, *, is_folder: bool) -> Path:
    """Returns where the index of a shard stands.

    Args:
        shard: a file of packs, or a folder of files with one pack each.
        is_folder: which of them it is.

    >>> index_path(Path("packs/shard-00000.jsonl"), is_folder=False).as_posix()
    'packs/shard-00000.index.arrow'
    >>> index_path(Path("packs/shard-00000"), is_folder=True).as_posix()
    'packs/shard-00000/packs.index.arrow'
    """
    return shard / "packs.index.arrow" if is_folder else shard.with_suffix(".index.arrow")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShardIndex:
    """The index of a shard as flat arrays.

    Attributes:
        pack: columns with one value a pack.
        sample: columns with one value a sample.
        image: columns with one value an image.
        first_sample: int32 [packs+1], where the samples of each pack begin.
        first_image: int32 [packs+1], where the images of each pack begin.
        sources: labels of samples, by number.
        origins: names of inputs, by number.
        files: name of the file of each pack, where every pack has its own.
    """

    pack: PackColumns
    sample: SampleColumns
    image: ImageColumns
    first_sample: NDArray[np.int32]
    first_image: NDArray[np.int32]
    sources: tuple[str, ...]
    origins: tuple[str, ...]
    files: pa.StringArray | None

    @classmethod
    def open(cls, path: Path, *, checksum: str | None = None) -> Self:
        """Maps an index file into memory.

        Args:
            path: the file.
            checksum: xxh3_64 of the whole file in hex, where it is known.

        Raises:
            ChecksumError: the file is not the one that was written.
            FormatError: it is no index.
        """
        try:
            with pa.memory_map(str(path)) as file:
                buffer = file.read_buffer()
        except OSError as error:
            raise FormatError(path, f"cannot read it ({error})") from None
        if checksum is not None and (found := xxhash.xxh3_64_hexdigest(buffer)) != checksum:
            raise ChecksumError(path, f"its checksum is {found}, the manifest says {checksum}")
        return cls.from_buffer(buffer, path)

    @classmethod
    def from_buffer(cls, data: bytes | pa.Buffer, path: str | Path) -> Self:
        """Reads an index; its arrays are views of `data`.

        Args:
            data: the bytes of the file.
            path: where it stands, for the error.

        Raises:
            FormatError: it is no index.
        """
        try:
            batch = _only_batch(data)
            samples, images = batch.column("samples"), batch.column("images")
            return cls(
                pack=PackColumns(*(batch.column(name).to_numpy() for name in PackColumns._fields)),
                sample=SampleColumns(*_flat(samples, SampleColumns._fields)),
                image=ImageColumns(*_flat(images, ImageColumns._fields)),
                first_sample=samples.offsets.to_numpy(),
                first_image=images.offsets.to_numpy(),
                sources=_labels(batch.schema, _SOURCES),
                origins=_labels(batch.schema, _ORIGINS),
                files=batch.column("file") if "file" in batch.schema.names else None,
            )
        except (pa.ArrowException, OSError, ValueError, KeyError) as error:
            raise FormatError(path, f"must be the index of a shard ({error})") from None

    def __len__(self) -> int:
        return len(self.pack.offset)

    def file(self, pack: int) -> str | None:
        """Returns the name of a pack's file, where every pack has its own."""
        return None if self.files is None else str(self.files[pack])

    def samples_of(self, pack: int) -> slice:
        """Returns where the samples of a pack stand in the columns of samples."""
        return slice(int(self.first_sample[pack]), int(self.first_sample[pack + 1]))

    def images_of(self, pack: int) -> slice:
        """Returns where the images of a pack stand in the columns of images."""
        return slice(int(self.first_image[pack]), int(self.first_image[pack + 1]))

    def row(self, pack: int) -> PackRow:
        """Returns all that the index says of one pack."""
        samples, images = self.samples_of(pack), self.images_of(pack)
        offset, size, tokens, checksum = (int(column[pack]) for column in self.pack)
        return PackRow(
            offset,
            size,
            tokens,
            checksum,
            tuple(map(self._sample_row, *(column[samples].tolist() for column in self.sample))),
            tuple(map(ImageRow, *(column[images].tolist() for column in self.image))),
            self.file(pack),
        )

    def _sample_row(self, length: int, source: int, origin: int, position: int) -> SampleRow:
        return SampleRow(
            length,
            None if source < 0 else self.sources[source],
            None if origin < 0 else Origin(self.origins[origin], position),
        )


def _required(names: Sequence[str], types: Sequence[pa.DataType]) -> list[pa.Field[Any]]:
    return [pa.field(name, type, nullable=False) for name, type in zip(names, types, strict=True)]


def _only_batch(data: bytes | pa.Buffer) -> pa.RecordBatch:
    """Returns the record batch of an index file, once it is safe to read.

    Raises:
        ValueError: it is none.
    """
    reader = pa.ipc.open_file(pa.BufferReader(data))
    if reader.num_record_batches != 1:
        raise ValueError(f"{reader.num_record_batches} record batches, must be 1")
    batch = reader.get_batch(0)
    metadata = batch.schema.metadata or {}
    if (version := metadata.get(_VERSION)) != b"%d" % FORMAT_VERSION:
        raise ValueError(f"format_version must be {FORMAT_VERSION}, got {version!r}")
    expected = index_schema(is_folder="file" in batch.schema.names, sources=(), origins=())
    if not batch.schema.equals(expected):
        raise ValueError(f"the columns are not those of format_version {FORMAT_VERSION}")
    # An offset out of range must not become a read out of range.
    batch.validate(full=True)
    return batch


def _flat(lists: Any, names: Sequence[str]) -> list[NDArray[Any]]:  # noqa: ANN401
    """Returns the fields of a list<struct> column as views."""
    return [lists.values.field(name).to_numpy() for name in names]


def _labels(schema: pa.Schema, key: bytes) -> tuple[str, ...]:
    return tuple(orjson.loads((schema.metadata or {})[key]))
