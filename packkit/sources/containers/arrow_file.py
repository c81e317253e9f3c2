"""Arrow: record batches as Hugging Face's datasets save them, staged as JSON lines once."""

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
    import pyarrow as pa

_FILE_MAGIC = b"ARROW1"


class ArrowFile(StagedRows, JsonLines):
    """An Arrow IPC stream or file; a row is a record."""

    name: ClassVar[str] = "arrow"
    suffixes: ClassVar[tuple[str, ...]] = (".arrow",)

    def stage(self, path: Path, copy: Path) -> None:
        """Writes every row as a JSON line.

        Raises:
            FormatError: The file is not readable Arrow, or two of its columns have one name.
        """
        with open(copy, "wb") as lines:
            for line in _lines(path):
                lines.write(line)
                lines.write(b"\n")


def _lines(path: Path) -> Iterator[bytes]:
    import pyarrow as pa

    try:
        with pa.OSFile(str(path)) as file:
            for batch in _batches(file):
                # What is damaged is found here, and not by a crash.
                batch.validate(full=True)
                plain = plain_schema(batch.schema, path.name)
                for start in range(0, len(batch), ROWS_PER_BATCH):
                    rows = batch.slice(start, ROWS_PER_BATCH)
                    yield from json_lines(rows.cast(plain, safe=False))
    except FormatError:
        raise
    except (pa.ArrowException, OSError, *BROKEN_ROW) as error:
        raise FormatError(path.name, f"not a readable Arrow file ({one_line(error)})") from None


def _batches(file: pa.NativeFile) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    is_file = file.read(len(_FILE_MAGIC)) == _FILE_MAGIC
    file.seek(0)
    if not is_file:
        yield from pa.ipc.open_stream(file)
        return
    reader = pa.ipc.open_file(file)
    for number in range(reader.num_record_batches):
        yield reader.get_batch(number)
