"""Columns filled value by value are the rows that a naive loop makes."""

import math

import numpy as np
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from packkit.encoding import EncodedSample
from packkit.packing.span import SAMPLE_SCHEMA
from packkit.packing.table_builder import TableBuilder
from packkit.samples import Sample
from packkit.samples.keys import ImageStamp
from packkit.sources import Record

IMAGES = st.tuples(
    st.integers(1, 9999), st.integers(1, 9999), st.integers(1, 2**40), st.integers(0, 2**62)
)


@st.composite
def samples(draw):
    """A sample, its record and images, and its length, 0 where it was rejected."""
    images = draw(st.lists(IMAGES, max_size=3))
    texts = draw(st.lists(st.text(max_size=9), min_size=1, max_size=3))
    sample = Sample(
        id=draw(st.none() | st.text(max_size=5)),
        content=(*texts, *[None] * len(images)),
        images=(b"",) * len(images),
        token_limit=draw(st.none() | st.integers(1, 99)),
    )
    numbers = [draw(st.integers(0, 2**bits - 1)) for bits in (63, 63, 64)]
    kept = draw(st.lists(st.integers(1, 50), max_size=len(images)))
    return sample, Record(*numbers, {}), images, draw(st.integers(0, 50)), kept


def encoded(length, tokens):
    slots = np.array([(0, count) for count in tokens], np.int32).reshape(-1, 2)
    return EncodedSample(np.zeros(length, np.int32), np.zeros(length, np.int32), slots)


def naive_row(source, position, sample, record, images, length, kept):
    tokens = kept + [0] * (len(images) - len(kept))
    return {
        "source": source,
        "position": position,
        "offset": record.offset,
        "size": record.size,
        "checksum": record.checksum,
        "length": length,
        "token_limit": sample.token_limit or 0,
        "id_hash": 0 if sample.id is None else xxhash.xxh3_64_intdigest(sample.id.encode()),
        "stored": sum(4 * math.ceil(size / 3) for _, _, size, _ in images)
        + sum(len(text) for text in sample.texts)
        + 160,
        "images": [
            {"width": width, "height": height, "tokens": count, "size": size, "mtime_ns": mtime}
            for (width, height, size, mtime), count in zip(images, tokens, strict=True)
        ],
    }


@given(st.lists(samples(), max_size=6), st.integers(0, 2**31 - 1))
def test_table_holds_the_measured_samples(drawn, source):
    builder = TableBuilder()
    for position, (sample, record, images, _, _) in enumerate(drawn):
        builder.add(3 * position, record, sample, images)
    for row, (_, _, _, length, kept) in enumerate(drawn):
        if length:
            builder.set_tokens(row, encoded(length, kept))
    table = builder.to_table(source)
    assert table.schema == SAMPLE_SCHEMA
    assert table.to_pylist() == [
        naive_row(source, 3 * position, *fields)
        for position, fields in enumerate(drawn)
        if fields[3]
    ]
    assert builder.is_measured.tolist() == [fields[3] > 0 for fields in drawn]


@given(st.lists(samples(), max_size=6))
def test_images_are_known_by_sample(drawn):
    builder = TableBuilder()
    for sample, record, images, _, _ in drawn:
        builder.add(0, record, sample, images)
    assert len(builder) == len(drawn)
    for row, (sample, _, images, _, _) in enumerate(drawn):
        assert builder.samples[row] is sample
        assert builder.image_sizes(row) == [(width, height) for width, height, _, _ in images]
        assert builder.stamps(row) == [ImageStamp(size, w, h) for w, h, size, _ in images]
