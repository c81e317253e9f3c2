"""Arrow files of both kinds come out row by row as Parquet does."""

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import FormatError
from packkit.sources.containers.arrow_file import ArrowFile
from packkit.sources.containers.parquet import Parquet

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.integers(-(2**63), 2**63 - 1),
            "image": st.none()
            | st.fixed_dictionaries(
                {"bytes": st.none() | st.binary(), "path": st.none() | st.text()}
            ),
            "turns": st.lists(st.fixed_dictionaries({"role": st.text(), "content": st.text()})),
            "score": st.none() | st.floats(),
        }
    ),
    min_size=1,
    max_size=5,
)
SCHEMA = pa.schema(
    {
        "id": pa.int64(),
        "image": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
        "turns": pa.list_(pa.struct({"role": pa.string(), "content": pa.string()})),
        "score": pa.float64(),
    }
)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("arrow")


def write(path, table, kind):
    new = pa.ipc.new_stream if kind == "stream" else pa.ipc.new_file
    with new(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return path


@given(ROWS, st.sampled_from(["stream", "file"]))
def test_rows_are_those_of_parquet(scratch, rows, kind):
    table = pa.Table.from_pylist(rows, SCHEMA)
    ArrowFile().stage(write(scratch / "a.arrow", table, kind), scratch / "arrow.jsonl")
    pq.write_table(table, scratch / "a.parquet")
    Parquet().stage(scratch / "a.parquet", scratch / "parquet.jsonl")
    assert (scratch / "arrow.jsonl").read_bytes() == (scratch / "parquet.jsonl").read_bytes()


def test_two_columns_of_one_name_are_refused(scratch):
    table = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(FormatError, match="column 'a' stands there twice"):
        ArrowFile().stage(write(scratch / "twice.arrow", table, "stream"), scratch / "copy")


@pytest.mark.parametrize("kind", ["stream", "file"])
def test_a_damaged_file_is_an_error_or_gives_rows(scratch, kind):
    rows = [{"id": number, "turns": [], "image": None, "score": 0.5} for number in range(20)]
    data = write(scratch / "whole", pa.Table.from_pylist(rows, SCHEMA), kind).read_bytes()
    outcomes = set()
    for place in range(0, len(data), 7):
        for damaged in (data[:place], data[:place] + b"\xff" + data[place + 1 :]):
            (scratch / "b.arrow").write_bytes(damaged)
            try:
                ArrowFile().stage(scratch / "b.arrow", scratch / "copy")
                lines = (scratch / "copy").read_bytes().splitlines()
                assert all(isinstance(orjson.loads(line), dict | list) for line in lines)
                outcomes.add("rows")
            except FormatError as error:
                assert "not a readable Arrow file" in str(error) or "twice" in str(error)
                outcomes.add("error")
    assert "error" in outcomes
