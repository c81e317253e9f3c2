"""docs/format.md tells the truth: its pack gives its index row and its manifest."""

import re
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pytest

from packkit.base.errors import RejectReason
from packkit.samples import Pack, Sample
from packkit.shards import Manifest, PackWriter
from packkit.shards.index_columns import ImageRow, PackRow, SampleRow, columns_of
from packkit.shards.index_table import index_schema

DOCUMENT = (Path(__file__).parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
PACK, ROW, MANIFEST = map(orjson.loads, re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL))


@pytest.fixture
def written(tmp_path):
    """The folder of a set that holds the pack of the document alone."""
    samples = tuple(map(Sample.from_dict, PACK["data"]))
    with PackWriter(tmp_path) as writer:
        writer.write(Pack(samples, tuple(PACK["lengths"])))
    return tmp_path


def test_the_pack_is_written_as_shown(written):
    assert (written / "shard-00000.jsonl").read_bytes() == orjson.dumps(PACK) + b"\n"


def test_the_index_has_the_row_shown(written):
    with pa.memory_map(str(written / "shard-00000.index.arrow")) as file:
        table = pa.ipc.open_file(file).read_all()
        assert table.to_pylist() == [ROW]
        for name in ("groups", "origins"):
            labels = orjson.loads(table.schema.metadata[f"packkit.{name}".encode()])
            assert f"`packkit.{name}` `{orjson.dumps(labels).decode().replace(',', ', ')}`" in (
                DOCUMENT.replace("\n", " ")
            )


def test_the_columns_are_those_shown():
    schema = index_schema(is_folder=True, labels={})
    # The type of a column, with that of every field of its structs.
    types = {}
    for field in schema:
        if pa.types.is_list(field.type):
            structs = field.type.value_type
            types |= {f"{field.name}.{inner.name}": str(inner.type) for inner in structs}
        else:
            types[field.name] = str(field.type)
    shown = re.findall(r"^\| `([\w.]+)` \| (\w+) \| (.*) \|$", DOCUMENT, re.MULTILINE)
    assert [(name, type) for name, type, _ in shown] == list(types.items())
    holds = {name: text for name, _, text in shown}
    for prefix, level in (("", PackRow), ("samples.", SampleRow), ("images.", ImageRow)):
        for name, column in columns_of(level).items():
            assert holds[prefix + name] == column.doc


def test_the_bytes_of_a_row_are_those_shown():
    pack, sample, image = (
        sum(np.dtype(column.type).itemsize for column in columns_of(level).values())
        for level in (PackRow, SampleRow, ImageRow)
    )
    # The lists of samples and of images have an offset for each pack.
    text = f"A pack takes {pack + 2 * 4} bytes, a sample {sample} and an image {image}."
    assert text in DOCUMENT.replace("\n", " ")


def test_the_manifest_is_the_one_shown(written):
    written_manifest = orjson.loads((written / "manifest.json").read_bytes())
    # These two change with the release of Arrow, which may lay out its header otherwise.
    for record in (written_manifest, MANIFEST):
        record["checksum"] = record["shards"][0]["index_checksum"] = ""
    assert written_manifest == MANIFEST


def test_every_column_key_and_reason_is_documented():
    columns = index_schema(is_folder=True, labels={}).names
    keys = {*Manifest.__slots__, "format", "format_version", "checksum"}
    names = {*columns, *keys, *(reason.value for reason in RejectReason)}
    assert [name for name in sorted(names) if f"`{name}`" not in DOCUMENT] == []
