"""The canonical JSON of samples: what is read, what is refused, and the way back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_strategies import JSON, samples, with_bytes

from packkit.base.errors import RejectReason, SampleError
from packkit.samples import Sample

KNOWN_KEYS = ("id", "messages", "content", "images", "meta", "token_limit", "origin")


@given(samples())
def test_json_form_gives_the_sample_back(sample):
    text = json.dumps(sample.to_dict())
    assert with_bytes(Sample.from_dict(json.loads(text))) == sample


@given(samples())
def test_images_can_be_left_out_and_given_apart(sample):
    record = sample.to_dict(with_images=False)
    assert "images" not in record
    assert record == {key: value for key, value in sample.to_dict().items() if key != "images"}
    assert Sample.from_dict(record, images=sample.images) == sample


@given(
    st.one_of(
        JSON,
        st.fixed_dictionaries({}, optional=dict.fromkeys((*KNOWN_KEYS, "more"), JSON)),
        st.fixed_dictionaries(
            {
                "messages": st.lists(
                    st.fixed_dictionaries(
                        {},
                        optional={
                            "role": st.sampled_from(["user", "assistant", "tool"]) | JSON,
                            "content": JSON
                            | st.lists(
                                st.fixed_dictionaries(
                                    {"type": st.sampled_from(["text", "image"]) | JSON},
                                    optional={"text": JSON, "more": JSON},
                                )
                            ),
                            "train": JSON,
                        },
                    ),
                    max_size=3,
                )
            },
            optional={"images": st.lists(JSON, max_size=2), "id": JSON, "origin": JSON},
        ),
    )
)
def test_any_json_makes_a_legal_sample_or_a_sample_error(record):
    try:
        sample = Sample.from_dict(record)
    except SampleError as error:
        assert len(str(error)) < 400
        return
    # What was read is legal: it can be written and read again.
    try:
        once = with_bytes(sample)
    except SampleError as error:
        assert error.reason is RejectReason.INVALID_BASE64
        return
    assert with_bytes(Sample.from_dict(once.to_dict())) == once


TEXT = {"type": "text", "text": "x"}
ONE_TURN = [{"role": "assistant", "content": "x"}]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (None, "a sample must be an object, got NoneType"),
        ([], "a sample must be an object, got list"),
        ("text", "a sample must be an object, got str 'text'"),
        ({}, "exactly one of messages and content"),
        ({"messages": ONE_TURN, "content": "x"}, "exactly one of messages and content"),
        ({"messages": {}}, "messages must be a list, got dict"),
        ({"messages": "x"}, "messages must be a list"),
        ({"messages": ["x"]}, "a message must be an object, got str 'x'"),
        ({"messages": [{"content": "x"}]}, "role must be one of system, user, assistant"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "role must be one of .*'tool'"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "role must be one of"),
        ({"messages": [{"role": "user"}]}, "content must be a string or a list of parts"),
        ({"messages": [{"role": "user", "content": "x", "name": "y"}]}, "no key 'name'"),
        ({"messages": [{"role": "user", "content": "x", "train": 1}]}, "train must be true or"),
        ({"content": {}}, "content must be a string or a list of parts, got dict"),
        ({"content": 5}, "content must be a string or a list of parts, got int 5"),
        ({"content": ["x"]}, "a part must be"),
        ({"content": [None]}, "a part must be"),
        ({"content": [{}]}, "a part must be"),
        ({"content": [{"type": "text"}]}, "a part must be"),
        ({"content": [{"type": "text", "text": None}]}, "a part must be"),
        ({"content": [{"type": "text", "text": 5}]}, "a part must be"),
        ({"content": [TEXT | {"cache": True}]}, "a part must be"),
        ({"content": [{"type": "image", "image": "a.jpg"}]}, "a part must be"),
        ({"content": [{"type": "image", "text": "x"}]}, "a part must be"),
        ({"content": [{"type": "video"}]}, "a part must be"),
        ({"content": "x", "images": "AAAA"}, "images must be a list, got str 'AAAA'"),
        ({"content": "x", "images": {}}, "images must be a list"),
        ({"content": [TEXT], "images": [5]}, "an image must be a base64 string, got int 5"),
        ({"content": [TEXT], "images": [None]}, "an image must be a base64 string"),
        ({"content": "x", "id": 1.5}, "id must be a string or an integer, got float 1.5"),
        ({"content": "x", "id": True}, "id must be a string or an integer"),
        ({"content": "x", "id": []}, "id must be a string or an integer"),
        ({"content": "x", "meta": []}, "meta must be an object, got list"),
        ({"content": "x", "meta": ""}, "meta must be an object"),
        ({"content": "x", "meta": False}, "meta must be an object"),
        ({"content": "x", "meta": {"a": 1}, "a": 2}, "'a' stands both in the sample and in its"),
        ({"content": "x", "token_limit": 0}, "token_limit must be in 1..2147483647, got int 0"),
        ({"content": "x", "token_limit": -3}, "token_limit must be in 1..2147483647"),
        ({"content": "x", "token_limit": 1 << 31}, "got int 2147483648"),
        ({"content": "x", "token_limit": 1 << 64}, "got int 18446744073709551616"),
        ({"content": "x", "token_limit": 1.0}, "token_limit must be an integer"),
        ({"content": "x", "token_limit": True}, "token_limit must be an integer"),
        ({"content": "x", "origin": "file"}, "origin must be"),
        ({"content": "x", "origin": {"source": "a"}}, "origin must be"),
        ({"content": "x", "origin": {"source": 1, "position": 1}}, "origin must be"),
        ({"content": "x", "origin": {"source": "a", "position": True}}, "origin must be"),
        ({"content": "x", "origin": {"source": "a", "position": 1, "x": 1}}, "origin must be"),
    ],
)
def test_illegal_records(record, message):
    with pytest.raises(SampleError, match=message) as caught:
        Sample.from_dict(record)
    assert caught.value.reason is RejectReason.INVALID_SAMPLE


def test_parts_of_a_table_have_nulls():
    content = [{"type": "image", "text": None}, {"type": "text", "text": "x"}]
    assert Sample.from_dict({"content": content, "images": [""]}).content == (None, "x")


def test_null_is_the_same_as_nothing():
    record = {"content": "x"}
    nulls = dict.fromkeys(("id", "messages", "images", "meta", "token_limit", "origin"))
    assert Sample.from_dict(record | nulls) == Sample.from_dict(record)


def test_a_plain_string_is_one_text_part():
    assert Sample.from_dict({"content": "x"}) == Sample.from_dict({"content": [TEXT]})
    assert Sample(content=("x",)).to_dict()["content"] == "x"


def test_markers_in_canonical_text_are_text():
    sample = Sample.from_dict({"content": "<image>\n<|image_pad|>"})
    assert sample.content == ("<image>\n<|image_pad|>",)


def test_ids_that_are_integers_become_strings():
    assert Sample.from_dict({"content": "x", "id": 7}).id == "7"


def test_unknown_keys_are_kept_in_meta():
    sample = Sample.from_dict({"content": "x", "modality": "CT", "n": None, "meta": {"a": [1]}})
    assert sample.meta == {"a": [1], "modality": "CT", "n": None}


def test_images_given_apart_win_over_the_record():
    record = {"content": [{"type": "image"}, TEXT], "images": ["no base64 at all"]}
    assert Sample.from_dict(record, images=[b"x"]).images == (b"x",)
