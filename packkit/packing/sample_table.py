"""The rows of pass 1 as flat arrays: about a hundred bytes a sample, all that stays in memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from packkit.packing.span import SAMPLE_SCHEMA


class SampleTable:
    """The accepted samples of all spans, in the order of the inputs.

    Args:
        table: One row a sample: `SAMPLE_SCHEMA` and the columns of `Notes`.
        origin: int32 [n], number of the origin that each sample is identified by; by default the
            number of its source.
        position: int64 [n], number of each sample in its origin; by default that of its record.

    Attributes:
        table: Arrow table of the rows.
        source: int32 [n], number of the source of each sample.
        origin: int32 [n], number of the origin that each sample is identified by.
        position: int64 [n], number of each sample in its origin.
        offset: int64 [n], first byte of each record in its source.
        size: int64 [n], bytes of each record.
        checksum: uint64 [n], xxh3_64 of each record; 0 where pass 1 did not read all of it.
        length: int32 [n], tokens of each sample.
        token_limit: int32 [n], tokens at which a sample is cut; 0 where it is not cut.
        id_hash: uint64 [n], xxh3_64 of each id; 0 where there is none.
        stored: int64 [n], estimated bytes of each sample in a shard.
        images: int32 [n], images of each sample that take tokens.
    """

    def __init__(
        self,
        table: pa.Table,
        origin: NDArray[np.int32] | None = None,
        position: NDArray[np.int64] | None = None,
    ) -> None:
        self.table = table.combine_chunks()
        self.source = self.column("source")
        self.origin = self.source if origin is None else origin
        self.position = self.column("position") if position is None else position
        self.offset = self.column("offset")
        self.size = self.column("size")
        self.checksum = self.column("checksum")
        self.length = self.column("length")
        self.token_limit = self.column("token_limit")
        self.id_hash = self.column("id_hash")
        self.stored = self.column("stored")
        lists: Any = self.table.column("images").combine_chunks()
        self._image_offsets = lists.offsets.to_numpy()
        structs = lists.values
        self._image = {
            name: structs.field(name).to_numpy(zero_copy_only=False)
            for name in ("width", "height", "tokens", "size", "mtime_ns")
        }
        self.images = self._sums(self._image["tokens"] > 0).astype(np.int32)

    @classmethod
    def of_spans(
        cls, tables: Sequence[pa.Table], bases: Sequence[int], schema: pa.Schema = SAMPLE_SCHEMA
    ) -> Self:
        """Puts the tables of all spans together.

        Args:
            tables: Table of each span, whose positions count from the span's first record.
            bases: Number of the first record of each span in its source.
            schema: Columns of every table.
        """
        table = pa.concat_tables([schema.empty_table(), *tables])
        first = np.repeat(np.asarray(bases, np.int64), [part.num_rows for part in tables])
        place = table.schema.get_field_index("position")
        position = pa.array(table.column(place).to_numpy() + first)
        return cls(table.set_column(place, table.schema.field(place), position))

    def __len__(self) -> int:
        return len(self.source)

    def take(
        self,
        rows: NDArray[np.int64],
        origin: NDArray[np.int32] | None = None,
        position: NDArray[np.int64] | None = None,
    ) -> SampleTable:
        """Returns some samples, in the order of their rows; a row may be named several times.

        Args:
            rows: int64 [k], numbers of the rows.
            origin: int32 [k], number of each sample's origin; by default that of its source.
            position: int64 [k], number of each sample in its origin; by default that of its record.
        """
        return SampleTable(self.table.take(pa.array(rows)), origin, position)

    @cached_property
    def image_tokens(self) -> NDArray[np.int64]:
        """Tokens of the images of each sample: int64 [n]."""
        return self._sums(self._image["tokens"])

    def image_sizes(self, row: int) -> list[tuple[int, int]]:
        """Returns width and height of a sample's images, pixels."""
        part = self._images_of(row)
        width, height = self._image["width"][part], self._image["height"][part]
        return list(zip(width.tolist(), height.tolist(), strict=True))

    def tokens_of_images(self, row: int) -> list[int]:
        """Returns the tokens of a sample's images; 0 for those past its cut."""
        tokens: list[int] = self._image["tokens"][self._images_of(row)].tolist()
        return tokens

    def image_stamps(self, row: int) -> list[tuple[int, int]]:
        """Returns bytes and modification time of a sample's image files."""
        part = self._images_of(row)
        size, mtime_ns = self._image["size"][part], self._image["mtime_ns"][part]
        return list(zip(size.tolist(), mtime_ns.tolist(), strict=True))

    def _images_of(self, row: int) -> slice:
        return slice(int(self._image_offsets[row]), int(self._image_offsets[row + 1]))

    def _sums(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """Returns int64 [n], the values of each sample's images added up."""
        ends = np.concatenate(([0], np.cumsum(values, dtype=np.int64)))
        sums: NDArray[np.int64] = np.diff(ends[self._image_offsets])
        return sums

    def column(self, name: str) -> NDArray[Any]:
        """Returns a column of the table, [n]."""
        values: NDArray[Any] = self.table.column(name).to_numpy()
        return values
