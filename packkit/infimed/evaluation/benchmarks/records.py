"""Reads the records of benchmarks from their files: JSON, JSON lines, CSV and Parquet.

Benchmarks are small: text files are read whole. Parquet files, which hold images as bytes, are read
batch by batch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from packkit.base.errors import FormatError, InputError, RejectReason, SampleError
from packkit.infimed.evaluation.benchmarks.base import BenchmarkRecord
from packkit.sources.base import Fields
from packkit.sources.containers.csv_table import CsvTable

_ROWS_PER_BATCH = 64
_SHARD = re.compile(r"-\d{5}-of-(\d{5})")


def split_files(folder: Path, split: str) -> list[Path]:
    """Lists the Parquet files of a split, such as ``test-00000-of-00003.parquet``, in order.

    Raises:
        InputError: There is no such file, or the names state another number of files.
    """
    paths = sorted(folder.glob(f"{split}-*.parquet"))
    if not paths:
        raise InputError(f"{folder} holds no {split}-*.parquet")
    for path in paths:
        shard = _SHARD.search(path.name)
        if shard and int(shard[1]) != len(paths):
            raise InputError(
                f"{path} is one of {int(shard[1])} by its name, but {split}-*.parquet are "
                f"{len(paths)}"
            )
    return paths


def read_json(path: Path) -> Iterator[BenchmarkRecord]:
    """Yields the objects of a JSON array, or of JSON lines where the file is named ``.jsonl``.

    Raises:
        FormatError: The file is not JSON, or does not hold objects.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".jsonl":
            # Not splitlines: JSON leaves other line ends, such as U+2028, unescaped within a line.
            value = [json.loads(line) for line in text.split("\n") if line.strip()]
        else:
            value = json.loads(text)
    except ValueError as error:
        raise FormatError(path, f"not JSON: {error}") from None
    if not isinstance(value, list):
        raise FormatError(path, f"must be an array of records, got {type(value).__name__}")
    yield from _numbered(path, value)


def read_csv(path: Path) -> Iterator[BenchmarkRecord]:
    """Yields the rows of a CSV file with a header.

    Raises:
        FormatError: The file has no header, or a row is broken.
    """
    table = CsvTable()
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "rows"
        table.stage(path, copy)
        spans = [table.scan(copy, span) for span in table.split(copy)]
        yield from _numbered(path, (record.fields for record in chain.from_iterable(spans)))


def read_parquet(paths: Iterable[Path]) -> Iterator[BenchmarkRecord]:
    """Yields the rows of the files of one split.

    Raises:
        FormatError: A file is not a readable Parquet file.
    """
    before = 0
    for path in paths:
        for record in _numbered(path, _rows(path), before):
            yield record
            before = record.number + 1


def image_bytes(fields: Fields, name: str) -> bytes:
    """Returns the encoded image in a Parquet column of Hugging Face's image type.

    Raises:
        SampleError: The column holds no bytes of an image.
    """
    match fields.get(name):
        case {"bytes": bytes(data)} if data:
            return data
    raise SampleError(RejectReason.MISSING_IMAGE, f"column {name!r} holds no bytes of an image")


def _numbered(path: Path, records: Iterable[object], before: int = 0) -> Iterator[BenchmarkRecord]:
    for number, fields in enumerate(records):
        place = f"{path}: record {number + 1}"
        if isinstance(fields, SampleError):
            raise FormatError(place, fields.detail)
        if not isinstance(fields, dict):
            raise FormatError(place, f"must be an object, got {type(fields).__name__}")
        yield BenchmarkRecord(place, before + number, fields)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            for batch in file.iter_batches(batch_size=_ROWS_PER_BATCH):
                yield from batch.to_pylist()
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        raise FormatError(path, f"not a readable Parquet file ({error})") from None
