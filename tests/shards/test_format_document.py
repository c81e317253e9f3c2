"""docs/format.md tells the truth: its pack gives its index row and its manifest."""

import re
from itertools import chain
from pathlib import Path

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


def test_the_manifest_is_the_one_shown(written):
    found = orjson.loads((written / "manifest.json").read_bytes())
    # These two change with the release of Arrow, which may lay out its header otherwise.
    for record in (found, MANIFEST):
        record["checksum"] = record["shards"][0]["index_checksum"] = ""
    assert found == MANIFEST


def test_every_column_key_and_reason_is_documented():
    levels = (PackRow, SampleRow, ImageRow)
    columns = [*index_schema(is_folder=True).names, *chain.from_iterable(map(columns_of, levels))]
    keys = {*Manifest.__slots__, "format", "format_version", "checksum"}
    names = {*columns, *keys, *(reason.value for reason in RejectReason)}
    assert [name for name in sorted(names) if f"`{name}`" not in DOCUMENT] == []
