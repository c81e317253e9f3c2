import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError
from packkit.sources.containers import json_array
from packkit.sources.containers.json_array import JsonSplits

TEXTS = st.text(st.sampled_from('[]{},:"\\ \né片ab'), max_size=8)
OBJECTS = st.dictionaries(TEXTS, TEXTS | st.lists(TEXTS, max_size=3), max_size=3)
# Those that no 64 bits hold are read as text.
INTEGERS = st.integers(-(2**63), 2**64 - 1)
# What is no array holds no records, however it is nested.
OTHERS = TEXTS | INTEGERS | OBJECTS | st.dictionaries(TEXTS, OBJECTS, max_size=2)


def patched(patch, span_bytes, buffer_bytes):
    patch.setattr(json_array, "SPAN_BYTES", span_bytes)
    patch.setattr(json_array, "BUFFER_BYTES", buffer_bytes)


@given(
    st.dictionaries(TEXTS, st.lists(OBJECTS | TEXTS | INTEGERS, max_size=4) | OTHERS),
    st.booleans(),
    st.sampled_from([None, 2]),
    st.sampled_from([1, 7, 64, 10**6]),
    st.sampled_from([1, 7, 64]),
)
@settings(max_examples=100, deadline=None)
def test_every_element_of_every_array_is_one_record(
    scratch, all_records, values, has_mark, indent, span_bytes, buffer_bytes
):
    text = json.dumps(values, indent=indent, ensure_ascii=False)
    path = scratch("splits.json", b"\xef\xbb\xbf" * has_mark + text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patched(patch, span_bytes, buffer_bytes)
        records = all_records(JsonSplits(), path)
    whole = path.read_bytes()
    elements = [item for value in values.values() if isinstance(value, list) for item in value]
    assert [orjson.loads(whole[r.offset : r.offset + r.size]) for r in records] == elements
    assert [isinstance(r.fields, SampleError) for r in records] == [
        not isinstance(item, dict) for item in elements
    ]


@pytest.mark.parametrize("span_bytes", [1, 9, 10**6])
def test_cut_off_at_every_byte(tmp_path, all_records, monkeypatch, span_bytes):
    patched(monkeypatch, span_bytes, 8)
    text = json.dumps({"train": [{"n": 0}, {"n": 1}], "val": [{"n": 2}]})
    ends = [text.index(f'{{"n": {n}}}') + len('{"n": 0}') for n in range(3)]
    path = tmp_path / "a.json"
    for cut in range(1, len(text)):
        path.write_text(text[:cut])
        *records, last = all_records(JsonSplits(), path)
        assert last.fields.reason is RejectReason.TRUNCATED_FILE
        assert last.offset + last.size == cut
        # An element counts once a comma or the bracket follows it.
        assert [r.fields["n"] for r in records] == list(range(sum(end < cut for end in ends)))


def test_what_follows_the_object_is_one_record(tmp_path, all_records):
    path = tmp_path / "a.json"
    path.write_bytes(b'{"train": [{"n": 1}]} [2]')
    record, rest = all_records(JsonSplits(), path)
    assert record.fields == {"n": 1}
    assert rest.fields.detail == "3 bytes follow the end of the text, at byte 22"
    assert rest.fields.unread == 3


def test_a_broken_element_costs_itself_alone(tmp_path, all_records):
    path = tmp_path / "a.json"
    path.write_bytes(b'{"train": [{"n": 1}, {"t": "\xff"}, nonsense], "val": [{"n": 2}]}')
    records = all_records(JsonSplits(), path)
    assert [getattr(r.fields, "reason", r.fields) for r in records] == [
        {"n": 1},
        RejectReason.INVALID_UTF8,
        RejectReason.INVALID_JSON,
        {"n": 2},
    ]


@given(st.binary(max_size=50), st.sampled_from([1, 5, 100]))
@settings(deadline=None)
def test_any_bytes(scratch, all_records, junk, span_bytes):
    with pytest.MonkeyPatch.context() as patch:
        patched(patch, span_bytes, 4)
        all_records(JsonSplits(), scratch("junk.json", b'{"train":[' + junk))
