"""Hypothesis strategies for samples, and a sample with its images read."""

import dataclasses

from hypothesis import strategies as st

from packkit.samples import Message, Origin, Sample

TEXTS = st.text(max_size=12)
CONTENTS = st.lists(st.none() | TEXTS, max_size=4).map(tuple)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(TEXTS, values, max_size=3),
    max_leaves=8,
)


@st.composite
def samples(draw):
    """Any legal sample, its images as bytes."""
    turns = st.builds(
        Message,
        st.sampled_from(["system", "user", "assistant"]),
        CONTENTS,
        st.none() | st.booleans(),
    )
    body = draw(st.one_of(st.lists(turns, min_size=1, max_size=4), CONTENTS.filter(len)))
    is_document = isinstance(body, tuple)
    parts = body if is_document else [part for turn in body for part in turn.content]
    count = parts.count(None)
    return Sample(
        id=draw(st.none() | TEXTS),
        messages=None if is_document else tuple(body),
        content=body if is_document else None,
        images=tuple(draw(st.lists(st.binary(max_size=9), min_size=count, max_size=count))),
        meta=draw(st.dictionaries(TEXTS, JSON, max_size=3)),
        token_limit=draw(st.none() | st.integers(1, 5000)),
        origin=draw(st.none() | st.builds(Origin, TEXTS, st.integers(0, 10**9))),
    )


def with_bytes(sample):
    """The sample with its images read."""
    images = tuple(sample.image_bytes(index) for index in range(len(sample.images)))
    return dataclasses.replace(sample, images=images)
