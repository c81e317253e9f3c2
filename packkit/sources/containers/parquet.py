"""Parquet: rows cannot be read by offset, so they are staged as JSON lines once."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import orjson
import pybase64

from packkit.errors import FormatError
from packkit.sources.containers.json_lines import JsonLines

__all__ = ["Parquet"]

_ROWS_PER_BATCH = 64


class Parquet(JsonLines):
    """A Parquet file; a row is a record, and bytes become ``{"bytes": base64}``."""

    name: ClassVar[str] = "parquet"
    suffixes: ClassVar[tuple[str, ...]] = (".parquet",)
    staged: ClassVar[bool] = True

    def stage(self, path: Path, copy: Path) -> None:
        """Writes every row as a JSON line.

        Raises:
            FormatError: it is not a readable Parquet file.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(path) as file, open(copy, "wb") as lines:
                for batch in file.iter_batches(batch_size=_ROWS_PER_BATCH):
                    for row in batch.to_pylist():
                        lines.write(orjson.dumps(_json_value(row), default=str))
                        lines.write(b"\n")
        except pa.ArrowInvalid as error:
            raise FormatError(path.name, f"not a readable Parquet file ({error})") from None


def _json_value(value: Any) -> Any:  # noqa: ANN401
    match value:
        case bytes():
            return {"bytes": pybase64.b64encode_as_string(value)}
        case {"bytes": bytes(data)}:
            return {**value, "bytes": pybase64.b64encode_as_string(data)}
        case dict():
            return {key: _json_value(item) for key, item in value.items()}
        case list():
            return [_json_value(item) for item in value]
    return value
