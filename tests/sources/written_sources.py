"""Files that are written and opened as sources, and the records that stand in them."""

import bz2
import gzip
import io
import json
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from packkit.sources import container_named, find_inputs, open_source

CAPTION = {"image": "a.jpg", "text": "x"}
LLAVA = {"image": "a.jpg", "conversations": [{"from": "gpt", "value": "x"}]}
CANONICAL = {"content": "x"}
PACK = {"data": [CANONICAL, CANONICAL], "lengths": [3, 4]}
DOCUMENT = {"texts": ["x"], "image_info": [None]}


@pytest.fixture
def opened(tmp_path):
    """Writes a file and opens it as a source."""

    def write_and_open(name, data, **options):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        (file,) = find_inputs([path])
        return open_source(file, staging=tmp_path / "staged", **options)

    return write_and_open


def read(source):
    """The fields of all records of a source."""
    container, path = container_named(source.container), Path(source.path)
    return [r.fields for span in container.split(path) for r in container.scan(path, span)]


def lines(*records):
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def tar_of(**members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name.replace("_", "."))
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def parquet_of(**columns):
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def compressed(ending, data):
    match ending:
        case "gz":
            return gzip.compress(data)
        case "bz2":
            return bz2.compress(data)
    return pa.compress(data, {"zst": "zstd", "lz4": "lz4"}[ending], asbytes=True)
