"""Turns inputs into files: paths are taken as they are, streams and samples are staged first."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import orjson
import xxhash

from packkit.base.errors import InputError
from packkit.base.files import make_folder, names_in_errors
from packkit.samples import Sample
from packkit.sources import InputFile, find_inputs


class TableDataset(Protocol):
    """A data set of Hugging Face's ``datasets``, in memory, on disk or streamed."""

    def with_format(self, type: str) -> Any:  # noqa: ANN401
        """Returns the data set with rows as tables of Arrow, images not decoded."""


Inputs = str | Path | Sequence[str | Path] | io.BufferedIOBase | Iterable[Sample] | TableDataset
"""Paths (files, folders, globs), a binary stream of JSON lines, samples, or a data set."""

_CHUNK_BYTES = 1 << 20
# Rows of a data set that are held at a time.
_TABLE_ROWS = 64


class Intake(NamedTuple):
    """The input files of a run.

    Attributes:
        files: Files to read, in order.
        identity: Name of each file and what tells it from a changed one, as JSON values.
        data_root: Folder of image paths in the lines of a stream; None where every file's own
            folder is meant.
        shared: Folder that the names of the files start from; None for one stream.
        layout: Layout of the files where it is known; None where it is to be told.
    """

    files: list[InputFile]
    identity: list[dict[str, Any]]
    data_root: str | None
    shared: str | None
    layout: str | None = None


def input_files(inputs: Inputs, out: Path | None = None) -> list[InputFile] | None:
    """Lists the files that inputs name; None where they are a stream or samples.

    Args:
        inputs: Paths, an open stream of JSON lines, or samples.
        out: Folder of the pack set, which no input may lie in.

    Raises:
        InputError: An input names nothing, or lies in `out`.
    """
    paths = _paths([inputs] if isinstance(inputs, str | Path) else inputs)
    return None if paths is None else find_inputs(paths, apart_from=out)


def take_in(inputs: Inputs, staging: Path, files: list[InputFile] | None = None) -> Intake:
    """Tells the input files of a run from others.

    Args:
        inputs: Paths, an open stream of JSON lines, or samples.
        staging: Folder for the lines of a stream or of samples.
        files: Files that the inputs name, where they are listed already.

    Raises:
        InputError: An input names nothing.
        SampleError: An image of a sample cannot be read.
    """
    files = input_files(inputs) if files is None else files
    if files is not None:
        first = files[0]
        shared = os.path.realpath(first.path.parents[len(Path(first.name).parts) - 1])
        return Intake(files, [file_stamp(file) for file in files], None, shared)
    if isinstance(inputs, io.BufferedIOBase):
        chunks = iter(lambda: inputs.read(_CHUNK_BYTES), b"")
        return _stage(chunks, staging, os.getcwd())
    if hasattr(inputs, "with_format"):
        return _stage(
            _arrow_stream(cast("TableDataset", inputs)), staging, os.getcwd(), "dataset.arrow"
        )
    # Their images are staged with them.
    samples = _sample_lines(cast("Iterable[object]", inputs))
    return _stage(samples, staging, None)._replace(layout="packkit")


def _paths(inputs: object) -> list[str | Path] | None:
    """Returns the inputs where they are paths."""
    if not isinstance(inputs, Sequence):
        return None
    paths = [item for item in inputs if isinstance(item, str | Path)]
    if not inputs or 0 < len(paths) < len(inputs):
        raise InputError("inputs must be paths or samples, and at least one")
    return paths or None


def file_stamp(file: InputFile) -> dict[str, Any]:
    """Returns name, size and time of a file, which tell it from a changed one."""
    status = os.stat(file.path)
    return {"name": file.name, "size": status.st_size, "mtime_ns": status.st_mtime_ns}


def _sample_lines(samples: Iterable[object]) -> Iterator[bytes]:
    for number, sample in enumerate(samples):
        if not isinstance(sample, Sample):
            raise InputError(f"input {number} must be a Sample, got {type(sample).__name__}")
        yield orjson.dumps(sample.to_dict()) + b"\n"


def _arrow_stream(dataset: TableDataset) -> Iterator[bytes]:
    """Yields the rows of a data set as an Arrow stream."""
    import pyarrow as pa

    sink, writer = _Chunks(), None
    for table in dataset.with_format("arrow").iter(batch_size=_TABLE_ROWS):
        if writer is None:
            writer = pa.ipc.new_stream(pa.PythonFile(sink, "w"), table.schema)
        writer.write_table(table)
        yield sink.taken()
    if writer is not None:
        writer.close()
        yield sink.taken()


class _Chunks(io.RawIOBase):
    """Keeps what is written until it is taken."""

    def __init__(self) -> None:
        self._data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401
        self._data += data
        return len(data)

    def taken(self) -> bytes:
        data, self._data = bytes(self._data), bytearray()
        return data


def _stage(
    chunks: Iterable[bytes], staging: Path, data_root: str | None, name: str = "samples.jsonl"
) -> Intake:
    make_folder(staging)
    path = staging / name
    digest = xxhash.xxh3_128()
    with names_in_errors(path), open(path, "wb") as file:
        for chunk in chunks:
            file.write(chunk)
            digest.update(chunk)
    # Its time is that of this run; its content tells whether an earlier run read the same.
    identity = {"name": path.name, "xxh3_128": digest.hexdigest()}
    return Intake([InputFile(path.name, path)], [identity], data_root, None)
