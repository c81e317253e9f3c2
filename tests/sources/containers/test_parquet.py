import base64
import datetime
import decimal
import struct

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit.base.errors import FormatError, RejectReason, SampleError
from packkit.sources.containers import parquet
from packkit.sources.containers.parquet import Parquet

HF_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@pytest.fixture
def staged(tmp_path, all_records):
    """Writes a table as Parquet, stages it and returns the fields of its rows."""

    def stage(table, **options):
        path, copy = tmp_path / "a.parquet", tmp_path / "copy"
        pq.write_table(table, path, **options)
        Parquet().stage(path, copy)
        return [record.fields for record in all_records(Parquet(), copy)]

    return stage


def b64(data):
    return base64.b64encode(data).decode()


def test_images_of_a_flattened_table_are_whole_again(staged):
    image = pa.array([{"bytes": b"a", "path": "p.jpg"}], HF_IMAGE)
    table = pa.table({"image": image, "text": ["x"]}).flatten()
    assert table.column_names == ["image.bytes", "image.path", "text"]
    (row,) = staged(table)
    assert row == {"image": {"bytes": b64(b"a"), "path": "p.jpg"}, "text": "x"}
    table = pa.table({"image": ["p.jpg"], "image.bytes": [b"a"]})
    assert staged(table) == [{"image": "p.jpg", "image.bytes": {"bytes": b64(b"a")}}]


def test_images_in_every_form(staged):
    table = pa.table(
        {
            "struct": pa.array(
                [{"bytes": b"a", "path": None}, {"bytes": None, "path": "p.jpg"}, None], HF_IMAGE
            ),
            "binary": pa.array([b"b", b"", None], pa.binary()),
            "large": pa.array([b"c", None, b"\n"], pa.large_binary()),
            "list": pa.array([[{"bytes": b"d", "path": "x"}], [], None], pa.list_(HF_IMAGE)),
            "path": pa.array(["a/b.jpg", None, ""]),
        }
    )
    first, second, third = staged(table)
    assert first == {
        "struct": {"bytes": b64(b"a"), "path": None},
        "binary": {"bytes": b64(b"b")},
        "large": {"bytes": b64(b"c")},
        "list": [{"bytes": b64(b"d"), "path": "x"}],
        "path": "a/b.jpg",
    }
    assert second == {
        "struct": {"bytes": None, "path": "p.jpg"},
        "binary": {"bytes": ""},
        "large": None,
        "list": [],
        "path": None,
    }
    assert third["struct"] is None and third["large"] == {"bytes": b64(b"\n")}


NANOSECONDS = 1_700_000_000_123_456_789
OTHER_COLUMNS = {
    "timestamp": (pa.array([NANOSECONDS], pa.timestamp("ns")), "2023-11-14T22:13:20.123456"),
    "seconds": (pa.array([0], pa.timestamp("s")), "1970-01-01T00:00:00"),
    "zone": (pa.array([0], pa.timestamp("us", tz="UTC")), "1970-01-01T00:00:00+00:00"),
    "date": (pa.array([datetime.date(2024, 2, 29)]), "2024-02-29"),
    "time": (pa.array([1001], pa.time64("ns")), "00:00:00.000001"),
    "duration": (pa.array([1_500_000_001], pa.duration("ns")), "0:00:01.500000"),
    "decimal": (pa.array([decimal.Decimal("1.50")]), "1.50"),
    "nested": (pa.array([[[1, None], []]]), [[1, None], []]),
    "nested times": (pa.array([[{"t": 1001}]], pa.list_(pa.struct([("t", pa.timestamp("ns"))]))),
                     [{"t": "1970-01-01T00:00:00.000001"}]),
    "nested bytes": (pa.array([{"bytes": b"a", "more": b"b"}]),
                     {"bytes": b64(b"a"), "more": {"bytes": b64(b"b")}}),
    "map": (pa.array([[("k", b"v")]], pa.map_(pa.string(), pa.binary())),
            [["k", {"bytes": b64(b"v")}]]),
    "large string": (pa.array(["x"], pa.large_string()), "x"),
    "string view": (pa.array(["x"], pa.string_view()), "x"),
    "dictionary": (pa.array(["x"]).dictionary_encode(), "x"),
    "fixed": (pa.array([b"ab"], pa.binary(2)), {"bytes": b64(b"ab")}),
    "largest": (pa.array([2**64 - 1], pa.uint64()), 2**64 - 1),
    "half": (pa.array([1.5], pa.float16()), 1.5),
    "not a number": (pa.array([float("nan")]), None),
    "infinite": (pa.array([float("-inf")]), None),
    "nothing": (pa.nulls(1), None),
    "truth": (pa.array([True]), True),
    "unicode": (pa.array(["片\n\0\u2028"]), "片\n\0\u2028"),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER_COLUMNS)
def test_columns_of_other_types(staged, name):
    column, expected = OTHER_COLUMNS[name]
    assert staged(pa.table({name: column})) == [{name: expected}]


@given(
    st.lists(st.tuples(st.none() | st.text(max_size=5), st.binary(max_size=5)), max_size=20),
    st.integers(1, 7),
    st.integers(1, 7),
)
@settings(deadline=None, max_examples=30)
def test_rows_keep_order_and_number(scratch, all_records, rows, rows_per_group, rows_per_batch):
    table = pa.table(
        {
            "text": pa.array([text for text, _ in rows], pa.string()),
            "image": pa.array([image for _, image in rows], pa.binary()),
        }
    )
    path = scratch("a.parquet", b"")
    copy = scratch("copy", b"")
    pq.write_table(table, path, row_group_size=rows_per_group)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "ROWS_PER_BATCH", rows_per_batch)
        Parquet().stage(path, copy)
    fields = [record.fields for record in all_records(Parquet(), copy)]
    assert fields == [{"text": text, "image": {"bytes": b64(image)}} for text, image in rows]


def test_text_that_is_no_utf8_costs_its_row_alone(staged):
    texts = [b"good", b"b\xff\nd", b"\xff", b"also good"]
    offsets = [0]
    for text in texts:
        offsets.append(offsets[-1] + len(text))
    buffers = [None, pa.py_buffer(struct.pack("<5i", *offsets)), pa.py_buffer(b"".join(texts))]
    column = pa.Array.from_buffers(pa.string(), len(texts), buffers)
    first, second, third, last = staged(pa.table({"text": column}))
    assert (first, last) == ({"text": "good"}, {"text": "also good"})
    for error in (second, third):
        assert isinstance(error, SampleError)
        assert error.reason is RejectReason.INVALID_UTF8


def test_a_column_that_stands_twice_is_an_error(staged):
    columns = [pa.array([1]), pa.array([2]), pa.array([3])]
    with pytest.raises(FormatError, match=r"a\.parquet: column 'x' stands there twice"):
        staged(pa.table(columns, names=["x", "y", "x"]))


def parquet_bytes(tmp_path):
    path = tmp_path / "whole.parquet"
    pq.write_table(
        pa.table({"text": [f"row {n}" for n in range(50)]}), path, write_page_checksum=True
    )
    return path.read_bytes()


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.9, 0.999])
def test_a_file_that_is_cut_off_is_an_error(tmp_path, share):
    data = parquet_bytes(tmp_path)
    path = tmp_path / "cut.parquet"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(FormatError, match=r"cut\.parquet: not a readable Parquet file"):
        Parquet().stage(path, tmp_path / "copy")


def test_a_damaged_file_raises_nothing_but_format_errors(tmp_path):
    data = parquet_bytes(tmp_path)
    path, copy = tmp_path / "damaged.parquet", tmp_path / "copy"
    errors = 0
    for position in range(0, len(data), 3):
        damaged = bytearray(data)
        damaged[position] ^= 0x80
        path.write_bytes(damaged)
        try:
            Parquet().stage(path, copy)
        except FormatError:
            errors += 1
    assert errors > len(data) / 3 / 2


def test_a_file_that_is_missing_is_an_error(tmp_path):
    with pytest.raises(FormatError, match="nowhere"):
        Parquet().stage(tmp_path / "nowhere.parquet", tmp_path / "copy")


def test_a_full_disk_is_no_broken_input(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": ["x" * 100_000]}), path)
    with pytest.raises(OSError, match="No space left on device") as caught:
        Parquet().stage(path, "/dev/full")
    assert not isinstance(caught.value, FormatError)


def test_a_table_without_rows(staged):
    assert staged(pa.table({"x": pa.array([], pa.string())})) == []


def test_the_copy_is_plain_json_lines(tmp_path):
    path, copy = tmp_path / "a.parquet", tmp_path / "copy"
    pq.write_table(pa.table({"text": ["a\nb", "c"]}), path)
    Parquet().stage(path, copy)
    assert [orjson.loads(line) for line in copy.read_bytes().splitlines()] == [
        {"text": "a\nb"},
        {"text": "c"},
    ]
