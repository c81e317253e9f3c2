"""Rows of Arrow as JSON lines, which can be read by offset.

Values that JSON has no form for take the nearest one: bytes become ``{"bytes": base64}``, times ISO
8601 text to the microsecond, decimals and durations text, maps lists of pairs, and NaN and the
infinities null. Columns ``image.bytes`` and ``image.path`` of a table that was flattened are an
``image`` again. A row that holds what Python or JSON cannot, such as a date past the year 9999, is
a reject.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson
import pybase64

from packkit.base import reads
from packkit.base.errors import FormatError, RejectReason
from packkit.sources.base import too_large

if TYPE_CHECKING:
    import pyarrow as pa

BROKEN_ROW = (ValueError, TypeError, OverflowError, LookupError, RecursionError)
"""What rows of legal types can cause: values that have no form in Python, or none in JSON."""

ROWS_PER_BATCH = 64
"""Rows that are turned into lines at a time."""


def plain_schema(schema: pa.Schema, name: str) -> pa.Schema:
    """Returns a schema whose values become JSON whatever else is installed.

    Args:
        schema: Schema of the rows.
        name: Name of the file, for the message.

    Raises:
        FormatError: Two columns have one name.
    """
    import pyarrow as pa

    if repeated := [name for name, count in Counter(schema.names).items() if count > 1]:
        raise FormatError(name, f"column {repeated[0]!r} stands there twice")
    return pa.schema([field.with_type(_plain(field.type)) for field in schema])


def json_lines(batch: pa.RecordBatch) -> Iterator[bytes]:
    """Yields a line of JSON for each row: an object, or an array of what its reject says."""
    try:
        rows = map(_joined, batch.to_pylist())
        lines = [orjson.dumps(_json_value(row), default=str) for row in rows]
    except BROKEN_ROW as error:
        if len(batch) > 1:
            for row_number in range(len(batch)):
                yield from json_lines(batch.slice(row_number, 1))
        else:
            yield _reject(_reason(error), f"{type(error).__name__}: {error}")
        return
    for line in lines:
        # The line break counts.
        size = len(line) + 1
        is_held = size <= reads.MAX_RECORD_BYTES
        yield line if is_held else _reject(RejectReason.INVALID_SAMPLE, too_large(size).detail)


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


def _reason(error: Exception) -> RejectReason:
    is_no_text = isinstance(error, UnicodeError)
    return RejectReason.INVALID_UTF8 if is_no_text else RejectReason.INVALID_SAMPLE


def _reject(reason: RejectReason, detail: str) -> bytes:
    return orjson.dumps([reason, detail.encode(errors="backslashreplace").decode()])


def _joined(row: dict[str, Any]) -> dict[str, Any]:
    """Returns a row whose images are objects again where a flattened table has their parts."""
    for name in [name for name in row if name.endswith(".bytes")]:
        image = name.removesuffix(".bytes")
        if image not in row:
            row[image] = {"bytes": row.pop(name), "path": row.pop(f"{image}.path", None)}
    return row


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
