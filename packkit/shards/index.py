"""The sidecar of a shard: where every pack and image stands, and what it must be.

One Arrow IPC file of one uncompressed record batch, one row a pack, fixed integer types. It is read
into memory whole, about a thousandth of what its packs take, and looked at as flat arrays. It is
not mapped: a mapped file that somebody cuts short ends the process at the next look, without an
error. Labels are numbers; what they stand for is a JSON list in the schema's metadata.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from packkit.base.errors import ChecksumError, FormatError
from packkit.shards.index_columns import (
    UNKNOWN_TOKENS,
    ImageColumns,
    ImageRow,
    IndexRow,
    PackColumns,
    PackRow,
    SampleColumns,
    SampleRow,
    columns_of,
)
from packkit.shards.index_table import index_labels

# An empty name, an absolute one, or a step upwards.
_LEADS_OUT = r"^$|^/|\x00|(^|/)\.{1,2}(/|$)"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShardIndex:
    """The index of a shard as flat arrays.

    Attributes:
        pack: Columns with one value a pack.
        sample: Columns with one value a sample, over all packs.
        image: Columns with one value an image, over all packs.
        first_sample: int32 [packs+1], where the samples of each pack begin.
        first_image: int32 [packs+1], where the images of each pack begin.
        labels: Lists of labels by name, each in the order of the numbers that stand for them.
        files: Name of the file of each pack, where every pack has its own.
    """

    pack: PackColumns
    sample: SampleColumns
    image: ImageColumns
    first_sample: NDArray[np.int32]
    first_image: NDArray[np.int32]
    labels: Mapping[str, tuple[str, ...]]
    files: pa.StringArray | None

    @classmethod
    def open(cls, path: Path, *, checksum: str | None = None) -> Self:
        """Reads an index file into memory.

        Args:
            path: Path of the index file.
            checksum: Checksum (xxh3_64) of the whole file in hex, where it is known.

        Raises:
            ChecksumError: The file is not the one that was written.
            FormatError: The file is missing, or is not an index.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise FormatError(path, f"cannot read it ({error.strerror})") from None
        if checksum is not None and (actual := xxhash.xxh3_64_hexdigest(data)) != checksum:
            raise ChecksumError(path, f"its checksum is {actual}, the manifest says {checksum}")
        return cls.from_buffer(data, path)

    @classmethod
    def from_buffer(cls, data: bytes | pa.Buffer, path: str | Path) -> Self:
        """Reads an index; its arrays are views of `data`.

        Args:
            data: Bytes of the index file.
            path: Where the index stands, for the error.

        Raises:
            FormatError: The bytes are not an index.
        """
        try:
            file = pa.ipc.open_file(pa.BufferReader(data))
            labels = index_labels(file.schema)
            batch = _only_batch(file)
            samples, images = batch.column("samples"), batch.column("images")
            index = cls(
                pack=PackRow(*(batch.column(name).to_numpy() for name in PackRow._fields)),
                sample=SampleRow(*_flat(samples, SampleRow._fields)),
                image=ImageRow(*_flat(images, ImageRow._fields)),
                first_sample=samples.offsets.to_numpy(),
                first_image=images.offsets.to_numpy(),
                labels=labels,
                files=batch.column("file") if "file" in batch.schema.names else None,
            )
            index._check()
            return index
        except (pa.ArrowException, OSError, ValueError) as error:
            raise FormatError(path, f"must be the index of a shard ({error})") from None

    def __len__(self) -> int:
        return len(self.pack.offset)

    @property
    def groups(self) -> tuple[str, ...]:
        """Labels that statistics count samples under, by number."""
        return self.labels["groups"]

    @property
    def origins(self) -> tuple[str, ...]:
        """Names of the input files that samples were read from, by number."""
        return self.labels["origins"]

    def file(self, pack: int) -> str | None:
        """Returns the name of a pack's file, where every pack has its own."""
        return None if self.files is None else str(self.files[pack])

    def samples_of(self, pack: int) -> slice:
        """Returns where the samples of a pack stand in the columns of samples."""
        return slice(int(self.first_sample[pack]), int(self.first_sample[pack + 1]))

    def images_of(self, pack: int) -> slice:
        """Returns where the images of a pack stand in the columns of images."""
        return slice(int(self.first_image[pack]), int(self.first_image[pack + 1]))

    def row(self, pack: int) -> IndexRow:
        """Returns all that the index says of one pack."""
        (pack_row,) = map(PackRow, *self._values(self.pack, slice(pack, pack + 1)))
        samples = tuple(map(SampleRow, *self._values(self.sample, self.samples_of(pack))))
        images = tuple(map(ImageRow, *self._values(self.image, self.images_of(pack))))
        return IndexRow(pack_row, samples, images, self.file(pack))

    def _values(
        self, columns: PackColumns | SampleColumns | ImageColumns, rows: slice
    ) -> Iterator[list[Any]]:
        """Yields the values of each column as rows hold them: labels as text."""
        for array, column in zip(columns, columns_of(type(columns)).values(), strict=True):
            values = array[rows].tolist()
            if column.labels is not None:
                texts = self.labels[column.labels]
                values = [None if number < 0 else texts[number] for number in values]
            yield values

    def _check(self) -> None:
        """Raises ValueError where a number leads outside of what it points into.

        An index without a manifest has no checksum of its own, and must not be trusted blindly.
        """
        _check_offsets("samples", self.first_sample, len(self.sample.length))
        _check_offsets("images", self.first_image, len(self.image.sample))
        if self.files is not None:
            _check_files(self.files)
        samples, images = np.diff(self.first_sample), np.diff(self.first_image)
        pack, sample, image = self.pack, self.sample, self.image
        start, room = (np.repeat(column, images) for column in (pack.offset, pack.size))
        owner = np.repeat(np.arange(len(self)), images)
        for name, is_inside in (
            *self._labels_inside(),
            ("offset", _follows(pack.offset, pack.size, self.files is not None)),
            ("length", sample.length > 0),
            ("position", sample.position >= -1),
            ("sample", (image.sample >= 0) & (image.sample < np.repeat(samples, images))),
            ("image", _follows(image.offset - start, image.size, np.diff(owner) > 0)),
            ("image", image.offset - start <= room - image.size),
            ("width", image.width >= 0),
            ("height", image.height >= 0),
            ("tokens", image.tokens >= UNKNOWN_TOKENS),
        ):
            if not is_inside.all():
                raise ValueError(f"{name} number {int(is_inside.argmin())} is out of range")

    def _labels_inside(self) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Yields each column of labels by name, and which of its numbers have a label or -1."""
        for columns in (self.pack, self.sample, self.image):
            for name, column in columns_of(type(columns)).items():
                numbers = getattr(columns, name)
                if column.labels is not None:
                    yield name, (numbers >= -1) & (numbers < len(self.labels[column.labels]))


def _only_batch(file: Any) -> pa.RecordBatch:  # noqa: ANN401
    """Returns the record batch of an index file.

    Raises:
        ValueError: The file has not exactly one batch.
    """
    if file.num_record_batches != 1:
        raise ValueError(f"{file.num_record_batches} record batches, must be 1")
    batch = file.get_batch(0)
    # An offset out of range must not become a read out of range.
    batch.validate(full=True)
    return batch


def _flat(lists: Any, names: tuple[str, ...]) -> Iterator[NDArray[Any]]:  # noqa: ANN401
    """Yields the fields of a list<struct> column as views."""
    return (lists.values.field(name).to_numpy() for name in names)


def _check_offsets(name: str, first: NDArray[np.int32], count: int) -> None:
    if first[0] != 0 or first[-1] != count:
        raise ValueError(f"{name} of the packs are not all of them")


def _follows(
    offset: NDArray[np.int64], size: NDArray[np.int64], is_first: NDArray[np.bool_] | bool
) -> NDArray[np.bool_]:
    """Returns which ranges are ranges, each after the one before it.

    Args:
        offset: int64 [n], where each range begins.
        size: int64 [n], bytes of each.
        is_first: bool [n-1], whether a range, from the second on, may begin anywhere.
    """
    is_range = (offset >= 0) & (size >= 0) & (size <= np.iinfo(np.int64).max - offset)
    is_range[1:] &= is_first | (offset[1:] - size[:-1] >= offset[:-1])
    return is_range


def _check_files(files: pa.StringArray) -> None:
    """Raises ValueError where the name of a pack's file leads out of its folder."""
    leads_out = pc.match_substring_regex(files, _LEADS_OUT)
    if (number := pc.index(leads_out, True).as_py()) >= 0:
        raise ValueError(f"file number {number} leads out of the folder, {str(files[number])!r}")
