import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError
from packkit.samples.open_qwen2vl import is_open_qwen2vl, sample_from_open_qwen2vl

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values),
    max_leaves=8,
)
IMAGES = st.fixed_dictionaries({"image_base64": st.just("AAAA") | JSON}, optional={"url": JSON})


def document(parts):
    """The Open-Qwen2VL form of text and image parts."""
    return {
        "texts": [part if isinstance(part, str) else None for part in parts],
        "image_info": [
            {"image_base64": base64.b64encode(part).decode()} if isinstance(part, bytes) else None
            for part in parts
        ],
    }


@given(st.lists(st.text(max_size=5) | st.binary(max_size=5), min_size=1, max_size=6))
def test_parts_keep_their_order(parts):
    kept = [part for part in parts if part != ""]
    if not kept:
        with pytest.raises(SampleError) as caught:
            sample_from_open_qwen2vl(document(parts))
        assert caught.value.reason is RejectReason.EMPTY_TEXT
        return
    sample = sample_from_open_qwen2vl(document(parts))
    assert sample.content == tuple(part if isinstance(part, str) else None for part in kept)
    images = [sample.image_bytes(index) for index in range(len(sample.images))]
    assert images == [part for part in kept if isinstance(part, bytes)]


@pytest.mark.parametrize(
    ("texts", "infos", "message"),
    [
        (["a"], [], "lists of one length"),
        (["a"], None, "lists of one length"),
        ("a", [None], "lists of one length"),
        (None, None, "lists of one length"),
        ([None], [None], "position 0 must hold either"),
        (["a", "b"], [None, {"image_base64": "AAAA"}], "position 1 must hold either"),
        ([None], [{}], "position 0 must hold either"),
        ([None], [{"image_base64": None}], "position 0 must hold either"),
        ([None], ["AAAA"], "position 0 must hold either"),
        ([5], [None], "position 0 must hold either"),
    ],
)
def test_texts_and_images_must_line_up(texts, infos, message):
    with pytest.raises(SampleError, match=message) as caught:
        sample_from_open_qwen2vl({"texts": texts, "image_info": infos})
    assert caught.value.reason is RejectReason.INVALID_SAMPLE


@pytest.mark.parametrize(
    ("record", "id", "meta"),
    [
        ({}, None, {}),
        ({"key": "k", "uid": "u"}, "k", {"uid": "u"}),
        ({"key": None, "uid": "u"}, "u", {"key": None}),
        ({"key": 7}, "7", {}),
        ({"__key__": "000"}, "000", {}),
        ({"key": "k", "__key__": "000"}, "k", {}),
        ({"length": 300, "url": "u"}, None, {"url": "u"}),
    ],
)
def test_id_and_meta(record, id, meta):
    sample = sample_from_open_qwen2vl(document(["a"]) | record)
    assert (sample.id, sample.meta) == (id, meta)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "texts": JSON | st.lists(st.none() | JSON, max_size=3),
            "image_info": JSON | st.lists(st.none() | IMAGES | JSON, max_size=3),
            "key": JSON,
        },
    )
)
def test_only_sample_errors_escape(record):
    try:
        sample = sample_from_open_qwen2vl(record)
    except SampleError:
        return
    assert is_open_qwen2vl(record)
    assert len(sample.parts) <= len(record["texts"])


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"texts": [], "image_info": []}, True),
        ({"texts": []}, False),
        ({"image_info": []}, False),
        ({}, False),
    ],
)
def test_what_looks_like_a_document(record, expected):
    assert is_open_qwen2vl(record) is expected
