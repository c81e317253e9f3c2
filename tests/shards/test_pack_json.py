"""The text of a pack: standard JSON, and images exactly where the places say."""

import json

import orjson
import pybase64
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit.base.errors import FormatError, SampleError
from packkit.samples import Pack, Sample
from packkit.shards.pack_json import cut_images, encode_pack, pack_from_record, parse_record


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_text_is_the_json_of_the_pack_with_images_last(random_packs, data):
    for pack in data.draw(random_packs):
        text, _ = encode_pack(pack.data, pack.lengths)
        assert b"\n" not in text
        record = json.loads(text)
        assert list(record) == ["data", "lengths"]
        assert all(list(sample)[-1] == "images" for sample in record["data"])
        assert record == json.loads(json.dumps(pack.to_dict()))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_places_hold_the_images_and_the_rest_gives_the_pack_back(random_packs, data):
    for pack in data.draw(random_packs):
        text, places = encode_pack(pack.data, pack.lengths)
        images = [[] for _ in pack.data]
        for place in places:
            encoded = text[place.offset : place.offset + place.size]
            assert text[place.offset - 1 : place.offset] == b'"'
            assert text[place.offset + place.size :][:1] == b'"'
            images[place.sample].append(pybase64.b64decode(encoded, validate=True))
        assert [tuple(sample_images) for sample_images in images] == [
            sample.images for sample in pack.data
        ]
        rest, encoded = cut_images(text, [(place.offset, place.size) for place in places])
        assert len(rest) + sum(map(len, encoded)) == len(text)
        assert pack_from_record(parse_record(rest, "here"), images, "here") == pack


@pytest.mark.parametrize("meta", [{"pixels": b"\x00"}, {"text": "\ud800"}, {"count": 2**64}])
def test_what_json_cannot_hold_is_refused(meta):
    with pytest.raises(SampleError, match="JSON"):
        encode_pack([Sample(content=("text",), meta=meta)], [1])


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (b"{", "must be a JSON object"),
        (b"[]", "must be an object"),
        (b'{"data":[]}', '"lengths"'),
        (b'{"data":[1],"lengths":[1]}', "list of objects"),
        (b'{"data":{},"lengths":[]}', "list of objects"),
        (b'{"data":[{}],"lengths":[true]}', "positive integers"),
        (b'{"data":[{}],"lengths":[0]}', "positive integers"),
        (b'{"data":[{}],"lengths":[4294967296]}', "positive integers"),
        (b'{"data":[{}],"lengths":[]}', "1 samples but 0 lengths"),
    ],
)
def test_what_is_no_pack_is_refused(text, rule):
    with pytest.raises(FormatError, match=rule) as caught:
        parse_record(text, "shard-00003.jsonl: pack 12")
    assert str(caught.value).startswith("shard-00003.jsonl: pack 12: ")


def test_an_illegal_sample_is_named_by_its_id():
    record = {"id": "roco/9", "content": [{"type": "image"}], "images": []}
    with pytest.raises(FormatError, match=r'^here: sample "roco/9": image_count'):
        pack_from_record({"data": [record], "lengths": [5]}, [[]], "here")


def test_open_qwen2vl_samples_become_canonical(images):
    record = {
        "image_info": [None, {"image_base64": pybase64.b64encode_as_string(images[0])}],
        "texts": ["before", None],
        "key": "00017",
        "license": "CC0",
    }
    pack = pack_from_record({"data": [record], "lengths": [150]}, [[images[0]]], "here")
    sample = Sample(
        id="00017", content=("before", None), images=(images[0],), meta={"license": "CC0"}
    )
    assert pack == Pack((sample,), (150,))


def test_a_canonical_sample_may_carry_the_keys_of_open_qwen2vl():
    sample = Sample(content=("text",), meta={"texts": ["a"], "image_info": [None]})
    record = orjson.loads(orjson.dumps(sample.to_dict()))
    # As another writer of canonical samples might put them: beside the content.
    record |= record.pop("meta")
    assert pack_from_record({"data": [record], "lengths": [1]}, [[]], "here").data == (sample,)
