"""What pass 1 found, as flat arrays: about a hundred bytes a sample, all that stays in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from packkit.packing.measure import MEASURE_SCHEMA

__all__ = ["Measured"]


class Measured:
    """The accepted samples of all spans, in the order of the inputs.

    Args:
        tables: one a span, `MEASURE_SCHEMA`.
        bases: number of the first record of each span in its source.

    Attributes:
        source: int32 [n], number of the source.
        position: int64 [n], number of the record in its source.
        offset: int64 [n], first byte of the record.
        size: int64 [n], bytes of the record.
        checksum: uint64 [n], of the record; 0 where pass 1 did not read all of it.
        length: int32 [n], tokens.
        token_limit: int32 [n], 0 where this run does not cut the sample.
        id_hash: uint64 [n], 0 where there is no id.
        stored: int64 [n], bytes in a shard, estimated.
        images: int32 [n], images that take tokens.
    """

    def __init__(self, tables: Sequence[pa.Table], bases: Sequence[int]) -> None:
        table = pa.concat_tables(tables) if tables else MEASURE_SCHEMA.empty_table()
        self.source = _column(table, "source")
        self.position = _column(table, "position") + np.repeat(
            np.asarray(bases, np.int64), [part.num_rows for part in tables]
        )
        self.offset = _column(table, "offset")
        self.size = _column(table, "size")
        self.checksum = _column(table, "checksum")
        self.length = _column(table, "length")
        self.token_limit = _column(table, "token_limit")
        self.id_hash = _column(table, "id_hash")
        self.stored = _column(table, "stored")
        lists: Any = table.column("images").combine_chunks()
        self._image_offsets = lists.offsets.to_numpy()
        structs = lists.values
        self._image = {
            name: structs.field(name).to_numpy(zero_copy_only=False)
            for name in ("width", "height", "tokens", "size", "mtime_ns")
        }
        kept = np.concatenate(([0], np.cumsum(self._image["tokens"] > 0)))
        self.images = np.diff(kept[self._image_offsets]).astype(np.int32)

    def __len__(self) -> int:
        return len(self.source)

    def image_sizes(self, row: int) -> list[tuple[int, int]]:
        """Returns width and height of a sample's images, pixels."""
        part = self._images_of(row)
        width, height = self._image["width"][part], self._image["height"][part]
        return list(zip(width.tolist(), height.tolist(), strict=True))

    def image_tokens(self, row: int) -> list[int]:
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


def _column(table: pa.Table, name: str) -> NDArray[Any]:
    values: NDArray[Any] = table.column(name).to_numpy()
    return values
