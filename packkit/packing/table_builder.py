"""Building the rows of pass 1, column by column, so that no sample costs an object of its own."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from packkit.encoding import EncodedSample
from packkit.packing.span import IMAGE_FIELDS, SAMPLE_SCHEMA
from packkit.samples import Sample
from packkit.samples.keys import ImageStamp
from packkit.sources import Record

# JSON around a sample's text and images, for the estimate of a shard's size.
_SAMPLE_OVERHEAD_BYTES = 160


class TableBuilder:
    """Legal samples, column by column; their tokens are filled in last.

    Attributes:
        samples: The samples, in the order in which they were added.
        position: int64 [n], number of each record in its span.
        offset: int64 [n], first byte of each record in its source.
    """

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self.position, self.offset, self._size = array("q"), array("q"), array("q")
        self._checksum = array("Q")
        self._length = array("i")
        # One entry an image, and where the images of each sample end.
        self._image_ends = array("i", (0,))
        self._width, self._height, self._tokens = array("i"), array("i"), array("i")
        self._image_bytes, self._mtime_ns = array("q"), array("q")

    def __len__(self) -> int:
        return len(self.samples)

    def add(
        self,
        position: int,
        record: Record,
        sample: Sample,
        images: Sequence[tuple[int, int, int, int]],
    ) -> None:
        """Adds a sample whose length is not known yet.

        Args:
            position: Number of the record in its span.
            record: The record that the sample was made of.
            sample: A legal sample.
            images: Width and height in pixels, bytes and modification time of each image.
        """
        self.samples.append(sample)
        self.position.append(position)
        self.offset.append(record.offset)
        self._size.append(record.size)
        self._checksum.append(record.checksum)
        self._length.append(0)
        for width, height, size, mtime_ns in images:
            self._width.append(width)
            self._height.append(height)
            self._tokens.append(0)
            self._image_bytes.append(size)
            self._mtime_ns.append(mtime_ns)
        self._image_ends.append(len(self._width))

    def set_tokens(self, row: int, encoded: EncodedSample) -> None:
        """Fills in the length of a sample and the tokens of the images that it keeps."""
        self._length[row] = encoded.length
        for image, tokens in enumerate(encoded.image_slots[:, 1].tolist(), self._image_ends[row]):
            self._tokens[image] = tokens

    @property
    def is_measured(self) -> NDArray[np.bool_]:
        """Whether the tokens of each sample are known: bool [n]."""
        return np.asarray(self._length) > 0

    def image_sizes(self, row: int) -> list[tuple[int, int]]:
        """Returns width and height of the images of a sample, pixels."""
        part = self._images_of(row)
        return list(zip(self._width[part], self._height[part], strict=True))

    def stamps(self, row: int) -> list[ImageStamp]:
        """Returns bytes and size of the images of a sample."""
        part = self._images_of(row)
        columns = (self._image_bytes[part], self._width[part], self._height[part])
        return list(map(ImageStamp, *columns))

    def to_table(self, source: int) -> pa.Table:
        """Returns the samples whose tokens are known, `SAMPLE_SCHEMA`.

        Args:
            source: Number of the source.
        """
        ids = [sample.id for sample in self.samples]
        columns = [
            np.full(len(self), source, np.int32),
            self.position,
            self.offset,
            self._size,
            self._checksum,
            self._length,
            array("i", (sample.token_limit or 0 for sample in self.samples)),
            array("Q", (0 if id is None else xxhash.xxh3_64_intdigest(id.encode()) for id in ids)),
            self._stored(),
        ]
        images = (self._width, self._height, self._tokens, self._image_bytes, self._mtime_ns)
        structs = pa.StructArray.from_arrays(list(map(_arrow, images)), fields=IMAGE_FIELDS)
        lists = pa.ListArray.from_arrays(_arrow(self._image_ends), structs)
        table = pa.Table.from_arrays([*map(_arrow, columns), lists], schema=SAMPLE_SCHEMA)
        return table.filter(pa.array(self.is_measured))

    def _images_of(self, row: int) -> slice:
        return slice(self._image_ends[row], self._image_ends[row + 1])

    def _stored(self) -> NDArray[np.int64]:
        """Returns int64 [n], bytes that each sample takes in a shard, about."""
        base64_bytes = -(-np.asarray(self._image_bytes) // 3) * 4
        sums = np.concatenate(([0], np.cumsum(base64_bytes)))[np.asarray(self._image_ends)]
        text_bytes = [sum(map(len, sample.texts)) for sample in self.samples]
        stored: NDArray[np.int64] = np.diff(sums) + np.array(text_bytes, np.int64)
        return stored + _SAMPLE_OVERHEAD_BYTES


def _arrow(values: Any) -> pa.Array:  # noqa: ANN401
    """Returns numbers as an Arrow array of the same type."""
    return pa.array(np.asarray(values))
