"""A table of samples equals its rows, read one by one."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from packkit.packing.sample_table import SampleTable
from packkit.packing.span import SAMPLE_SCHEMA

IMAGES = st.fixed_dictionaries(
    {
        "width": st.integers(1, 9999),
        "height": st.integers(1, 9999),
        "tokens": st.integers(0, 999),
        "size": st.integers(1, 2**40),
        "mtime_ns": st.integers(0, 2**62),
    }
)


@st.composite
def rows(draw, **options):
    """Rows of `SAMPLE_SCHEMA`, positions counted from 0."""
    bits = {pa.int32(): 31, pa.int64(): 63, pa.uint64(): 64}
    numbers = {
        field.name: st.integers(0, 2 ** bits[field.type] - 1)
        for field in SAMPLE_SCHEMA
        if field.name != "images"
    }
    record = st.fixed_dictionaries({**numbers, "images": st.lists(IMAGES, max_size=4)})
    drawn = draw(st.lists(record, max_size=8, **options))
    return [{**row, "position": position} for position, row in enumerate(drawn)]


def table_of(records):
    return pa.Table.from_pylist(records, SAMPLE_SCHEMA)


def assert_holds(measured, records, *, but=()):
    assert len(measured) == len(records)
    for name in set(SAMPLE_SCHEMA.names) - {"images", *but}:
        assert getattr(measured, name).tolist() == [record[name] for record in records]
    for row, record in enumerate(records):
        images = record["images"]
        assert measured.image_sizes(row) == [(im["width"], im["height"]) for im in images]
        assert measured.tokens_of_images(row) == [im["tokens"] for im in images]
        assert measured.image_stamps(row) == [(im["size"], im["mtime_ns"]) for im in images]
    tokens = [[im["tokens"] for im in record["images"]] for record in records]
    assert measured.images.tolist() == [sum(count > 0 for count in counts) for counts in tokens]
    assert measured.image_tokens.tolist() == [sum(counts) for counts in tokens]


@given(rows())
def test_columns_are_those_of_the_rows(records):
    measured = SampleTable(table_of(records))
    assert_holds(measured, records)
    assert measured.origin.tolist() == measured.source.tolist()


@given(st.lists(st.tuples(rows(), st.integers(0, 5))))
def test_spans_are_put_together_with_positions_in_their_sources(spans):
    bases, base = [], 0
    for records, rejected in spans:
        bases.append(base)
        base += len(records) + rejected
    measured = SampleTable.of_spans([table_of(records) for records, _ in spans], bases)
    expected = [
        {**record, "position": base + record["position"]}
        for (records, _), base in zip(spans, bases, strict=True)
        for record in records
    ]
    assert_holds(measured, expected)


@given(rows(min_size=1), st.data())
def test_rows_are_taken_in_any_order_and_several_times(records, data):
    taken = data.draw(st.lists(st.integers(0, len(records) - 1)))
    measured = SampleTable(table_of(records)).take(np.array(taken, np.int64))
    assert_holds(measured, [records[row] for row in taken])


@given(rows(min_size=1), st.data())
def test_taken_rows_may_get_another_identity(records, data):
    taken = data.draw(st.lists(st.integers(0, len(records) - 1)))
    origin = np.arange(len(taken), dtype=np.int32) + 7
    position = np.arange(len(taken), dtype=np.int64)[::-1]
    measured = SampleTable(table_of(records)).take(np.array(taken, np.int64), origin, position)
    assert_holds(measured, [records[row] for row in taken], but=["position"])
    assert measured.origin.tolist() == origin.tolist()
    assert measured.position.tolist() == position.tolist()


@given(rows(min_size=2))
def test_a_part_of_a_table_is_a_table(records):
    # Slices of Arrow share their buffers: offsets of lists must not be those of the whole.
    assert_holds(SampleTable(table_of(records).slice(1)), records[1:])


def test_columns_that_were_noted_are_kept():
    table = SAMPLE_SCHEMA.empty_table().append_column("modality", pa.array([], pa.string()))
    assert SampleTable(table).take(np.empty(0, np.int64)).column("modality").tolist() == []
