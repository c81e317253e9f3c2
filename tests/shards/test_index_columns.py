"""The columns of an index, and that what they say of a pack follows from the pack."""

import numpy as np
import pytest
import xxhash

from packkit.samples import Origin, Sample
from packkit.shards import MeasuredSample
from packkit.shards.index_columns import (
    ImagePlace,
    ImageRow,
    PackRow,
    SampleRow,
    columns_of,
    make_row,
)

_ORIGIN = Origin("a.jsonl", 3)


@pytest.mark.parametrize("level", [PackRow, SampleRow, ImageRow])
def test_every_field_is_a_column_of_integers_that_says_what_it_holds(level):
    columns = columns_of(level)
    assert tuple(columns) == level._fields
    for name, column in columns.items():
        assert np.dtype(column.type).kind in "iu"
        assert column.doc.endswith(".")
        assert getattr(level, name).__doc__ == f"{column.type}. {column.doc}"


def test_offsets_count_from_the_file_and_tokens_add_up():
    sample = Sample(content=(None, "a", None), images=(b"x", b"y"))
    item = MeasuredSample(sample, 30, [(1, 2), (3, 4)], [9, 0])
    places = [ImagePlace(0, 10, 4, 5), ImagePlace(0, 20, 8, 6)]
    row = make_row(b"text", [item], places, offset=100, file="f.json")
    images = [
        (image.sample, image.offset, image.size, image.width, image.height) for image in row.images
    ]
    assert images == [(0, 110, 4, 1, 2), (0, 120, 8, 3, 4)]
    assert [(image.tokens, image.checksum) for image in row.images] == [(9, 5), (0, 6)]
    assert (row.pack.offset, row.pack.size, row.pack.tokens, row.file) == (100, 4, 30, "f.json")
    assert row.pack.checksum == xxhash.xxh3_64_intdigest(b"text")


@pytest.mark.parametrize(
    ("meta", "origin", "label"),
    [
        ({"source": "slake"}, _ORIGIN, "slake"),
        ({"source": "slake"}, None, "slake"),
        ({"source": 7}, _ORIGIN, "a.jsonl"),
        ({"source": ["slake"]}, None, None),
        ({}, _ORIGIN, "a.jsonl"),
        ({}, None, None),
    ],
)
def test_a_sample_is_counted_under_its_meta_source_or_its_file(meta, origin, label):
    sample = Sample(content=("text",), meta=meta, origin=origin)
    row = make_row(b"", [MeasuredSample(sample, 3, [], [])], [], offset=0, file=None)
    (stored,) = row.samples
    assert (stored.length, stored.group) == (3, label)
    assert (stored.origin, stored.position) == (origin or (None, -1))
