"""A damaged element of an array costs itself alone, or the run is told that more may be lost."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError, UnreadError
from packkit.sources.containers import json_array
from packkit.sources.containers.json_array import JsonArray, JsonSplits

PLAIN_TEXTS = ["two, [3]", "片", "don't", "a: {b}", ", 'c'", ""]
# They open and close what stands around them, once a quote is missing.
HARD_TEXTS = ['two, "three" [4]', "}, {", '}, {"a": 1}, {', "\\", "片 {", "]}", ":", ""]
COUNT = 40


def elements(seed, texts):
    """Conversations whose texts look like JSON; every one has objects inside."""
    draw = random.Random(seed)
    return [
        {
            "id": number,
            "conversations": [
                {"from": speaker, "value": "".join(draw.choices(texts, k=3))}
                for speaker in ("human", "gpt") * draw.randint(1, 3)
            ],
            "meta": {"a": {"b": [1, {"c": 2}]}},
        }
        for number in range(COUNT)
    ]


def damaged(seed, texts, indent, numbers, damage):
    """An array with damage in some elements; the elements that are whole."""
    values = elements(seed, texts)
    parts = [json.dumps(value, indent=indent, ensure_ascii=False) for value in values]
    draw = random.Random(seed)
    for number in numbers:
        parts[number] = damage(parts[number], draw)
    kept = [value for n, value in enumerate(values) if n not in numbers]
    return f"[{', '.join(parts)}]".encode(), kept


def lose_a_quote(part, draw):
    places = [i for i, byte in enumerate(part) if byte == '"' and part[i - 1] != "\\"]
    place = draw.choice(places)
    return part[:place] + part[place + 1 :]


def add_a_quote(part, draw):
    place = draw.choice([i for i, byte in enumerate(part) if byte.isalpha()])
    return part[:place] + '"' + part[place:]


def read(container, path, span_bytes, block_bytes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_array, "SPAN_BYTES", span_bytes)
        patch.setattr(json_array, "BUFFER_BYTES", block_bytes)
        spans = container.split(path)
        return [record for span in spans for record in container.scan(path, span)]


@given(
    st.integers(0, 10**6),
    st.sampled_from([None, 1]),
    st.sets(st.integers(0, COUNT // 2 - 2).map(lambda n: 2 * n + 1), min_size=1, max_size=4),
    st.sampled_from([lose_a_quote, add_a_quote]),
    st.sampled_from([1, 300, 10**6]),
    st.sampled_from([100, 1 << 20]),
)
@settings(deadline=None, max_examples=40)
def test_a_quote_too_few_or_too_many_costs_its_element(
    scratch, seed, indent, numbers, damage, span_bytes, block_bytes
):
    data, kept = damaged(seed, PLAIN_TEXTS, indent, numbers, damage)
    records = read(JsonArray(), scratch("a.json", data), span_bytes, block_bytes)
    sound = [record.fields for record in records if not isinstance(record.fields, SampleError)]
    assert sound == kept
    faults = [record.fields for record in records if isinstance(record.fields, SampleError)]
    assert {fault.reason for fault in faults} == {RejectReason.INVALID_JSON}
    assert len(faults) == len(numbers)


@given(
    st.integers(0, 10**6),
    st.integers(1, COUNT - 2),
    st.sampled_from([lose_a_quote, add_a_quote]),
    st.sampled_from([1, 10**6]),
)
@settings(deadline=None, max_examples=40)
def test_where_texts_look_like_json_little_is_lost_or_the_loss_is_told(
    scratch, seed, number, damage, span_bytes
):
    data, kept = damaged(seed, HARD_TEXTS, None, {number}, damage)
    records = read(JsonArray(), scratch("a.json", data), span_bytes, 1 << 20)
    sound = [record.fields for record in records if not isinstance(record.fields, SampleError)]
    assert [value for value in sound if value in kept] == [v for v in kept if v in sound]
    is_told = any(isinstance(record.fields, UnreadError) for record in records)
    assert is_told or all(value in sound for value in kept)


@pytest.mark.parametrize("span_bytes", [1, 10**6])
@pytest.mark.parametrize("split", [False, True])
def test_brackets_too_few_or_too_many(scratch, all_records, split, span_bytes):
    opening, closing, container = b"[", b"]", JsonArray()
    if split:
        opening, closing, container = b'{"train": [', b'], "val": [{"n": 9}]}', JsonSplits()
    for broken in (b'{"n": 2}}', b'{"n": {2}', b'{"n": 2', b'{"n": [2}'):
        data = opening + b'{"n": 1}, ' + broken + b', {"n": 3}, {"n": 4}' + closing
        records = read(container, scratch("a.json", data), span_bytes, 1 << 20)
        fields = [record.fields for record in records]
        numbers = {field["n"] for field in fields if not isinstance(field, SampleError)}
        is_told = any(isinstance(field, UnreadError) for field in fields)
        assert numbers >= {1}
        assert is_told or numbers >= {1, 4}
        assert any(isinstance(field, SampleError) for field in fields)


def test_nested_objects_are_no_elements(scratch):
    data = b'[{"n": [{"a": 1}, {"a": 2}, {"a": nan}, {"a": 4}]}, {"n": 2}]'
    broken, whole = read(JsonArray(), scratch("a.json", data), 1, 1 << 20)
    assert broken.fields.reason is RejectReason.INVALID_JSON
    assert whole.fields == {"n": 2}


@pytest.mark.parametrize("turns", [1, 3, 300])
def test_an_array_that_is_cut_off_inside_an_element_is_told(scratch, turns):
    element = {"id": 1, "conversations": [{"from": "human", "value": "x"}] * turns}
    whole = json.dumps([element, element]).encode()
    for cut in range(len(whole) // 2 + 3, len(whole), 1 + len(whole) // 50):
        first, last = read(JsonArray(), scratch("cut.json", whole[:cut]), 10**6, 1 << 20)
        assert first.fields == element
        assert isinstance(last.fields, UnreadError)
        assert (last.offset + last.size, last.size) == (cut, last.fields.unread)


def test_joined_arrays_are_told(scratch):
    data = json.dumps([{"n": 1}, {"n": 2}]).encode()
    first, second, last = read(JsonArray(), scratch("a.json", data * 2), 10**6, 1 << 20)
    assert (first.fields, second.fields) == ({"n": 1}, {"n": 2})
    assert last.fields.unread == len(data)


def test_a_file_that_is_damaged_everywhere_is_read_in_linear_time(scratch):
    data = b"[" + b", ".join([b'{"n": "1}'] * 1000) + b"]"
    records = read(JsonArray(), scratch("a.json", data), 10**6, 1 << 20)
    assert all(isinstance(record.fields, SampleError) for record in records)
