"""Parquet: rows cannot be read by offset, so they are staged as JSON lines once.

The copy takes the disk space of the rows, images as base64. Values that JSON has no form for take
the nearest one: bytes become ``{"bytes": base64}``, times ISO 8601 text to the microsecond,
decimals and durations text, maps lists of pairs, and NaN and the infinities null. A row that holds
what Python or JSON cannot, such as a date past the year 9999, is a reject.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
import pybase64

from packkit.base import reads
from packkit.base.errors import FormatError, RejectReason
from packkit.base.values import one_line
from packkit.sources.base import too_large
from packkit.sources.containers.json_lines import JsonLines, StagedRows

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_ROWS_PER_BATCH = 64
_BATCH_BYTES = 64 << 20
_BUFFER_BYTES = 1 << 20

# What rows of legal types can cause: values that have no form in Python, or none in JSON.
_BROKEN_ROW = (ValueError, TypeError, OverflowError, LookupError, RecursionError)


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
            schema = file.schema_arrow
            if repeated := [name for name, count in Counter(schema.names).items() if count > 1]:
                raise FormatError(path.name, f"column {repeated[0]!r} stands there twice")
            plain = pa.schema([field.with_type(_plain(field.type)) for field in schema])
            for batch in file.iter_batches(batch_size=_rows_per_batch(file.metadata)):
                yield from _json_lines(batch.cast(plain, safe=False))
    except FormatError:
        raise
    except (pa.ArrowException, OSError, *_BROKEN_ROW) as error:
        detail = f"not a readable Parquet file ({one_line(error)})"
        raise FormatError(path.name, detail) from None


def _rows_per_batch(metadata: pq.FileMetaData) -> int:
    """Returns how many rows can be held at a time."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    sizes = (group.total_byte_size // max(1, group.num_rows) for group in groups)
    row_bytes = max(sizes, default=1)
    return max(1, min(_ROWS_PER_BATCH, _BATCH_BYTES // max(1, row_bytes)))


def _plain(kind: pa.DataType) -> pa.DataType:
    """Returns the type that becomes JSON whatever else is installed.

    Nanoseconds become pandas objects where pandas is there, and errors where it is not.
    """
    import pyarrow as pa

    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    if pa.types.is_time64(kind):
        return pa.time64("us")
    if pa.types.is_duration(kind):
        return pa.duration("us")
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_plain(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_plain(field.type)) for field in kind])
    return kind


def _json_lines(batch: pa.RecordBatch) -> Iterator[bytes]:
    try:
        lines = [orjson.dumps(_json_value(row), default=str) for row in batch.to_pylist()]
    except _BROKEN_ROW as error:
        if len(batch) > 1:
            for row_number in range(len(batch)):
                yield from _json_lines(batch.slice(row_number, 1))
        else:
            yield _reject(_reason(error), f"{type(error).__name__}: {error}")
        return
    for line in lines:
        # The line break counts.
        size = len(line) + 1
        is_held = size <= reads.MAX_RECORD_BYTES
        yield line if is_held else _reject(RejectReason.INVALID_SAMPLE, too_large(size).detail)


def _reason(error: Exception) -> RejectReason:
    is_no_text = isinstance(error, UnicodeError)
    return RejectReason.INVALID_UTF8 if is_no_text else RejectReason.INVALID_SAMPLE


def _reject(reason: RejectReason, detail: str) -> bytes:
    return orjson.dumps([reason, detail.encode(errors="backslashreplace").decode()])


def _json_value(value: Any) -> Any:  # noqa: ANN401
    match value:
        case bytes():
            return {"bytes": pybase64.b64encode_as_string(value)}
        case {"bytes": bytes(data), **rest}:
            return {"bytes": pybase64.b64encode_as_string(data), **_json_value(rest)}
        case dict():
            return {key: _json_value(item) for key, item in value.items()}
        case list() | tuple():
            return [_json_value(item) for item in value]
    return value
