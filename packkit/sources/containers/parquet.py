"""Parquet: rows cannot be read by offset, so they are staged as JSON lines once.

The copy takes the disk space of the rows, images as base64; `packkit.sources.containers.arrow_rows`
says what becomes of other values.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from packkit.base.errors import FormatError
from packkit.base.values import one_line
from packkit.sources.containers.arrow_rows import (
    BROKEN_ROW,
    ROWS_PER_BATCH,
    json_lines,
    plain_schema,
)
from packkit.sources.containers.json_lines import JsonLines, StagedRows

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_BATCH_BYTES = 64 << 20
_BUFFER_BYTES = 1 << 20


class Parquet(StagedRows, JsonLines):
    """A Parquet file; a row is a record."""

    name: ClassVar[str] = "parquet"
    suffixes: ClassVar[tuple[str, ...]] = (".parquet",)

    def stage(self, path: Path, copy: Path) -> None:
        """Writes every row as a JSON line.

        Raises:
            FormatError: The file is not readable Parquet, or two of its columns have one name.
        """
        with open(copy, "wb") as lines:
            for line in _lines(path):
                lines.write(line)
                lines.write(b"\n")


def _lines(path: Path) -> Iterator[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Reading by pages: one row group of images can be larger than memory.
        with pq.ParquetFile(
            path, pre_buffer=False, buffer_size=_BUFFER_BYTES, page_checksum_verification=True
        ) as file:
            plain = plain_schema(file.schema_arrow, path.name)
            for batch in file.iter_batches(batch_size=_rows_per_batch(file.metadata)):
                yield from json_lines(batch.cast(plain, safe=False))
    except FormatError:
        raise
    except (pa.ArrowException, OSError, *BROKEN_ROW) as error:
        detail = f"not a readable Parquet file ({one_line(error)})"
        raise FormatError(path.name, detail) from None


def _rows_per_batch(metadata: pq.FileMetaData) -> int:
    """Returns how many rows can be held at a time."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    sizes = (group.total_byte_size // max(1, group.num_rows) for group in groups)
    row_bytes = max(sizes, default=1)
    return max(1, min(ROWS_PER_BATCH, _BATCH_BYTES // max(1, row_bytes)))
