import json
import tracemalloc

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError
from packkit.sources.containers import json_array
from packkit.sources.containers.json_array import JsonArray, JsonObject

TEXTS = st.text(st.sampled_from('[]{},:"\\ \né片ab'), max_size=12)
OBJECTS = st.dictionaries(TEXTS, TEXTS | st.lists(TEXTS, max_size=3), max_size=3)
# Those that no 64 bits hold are read as text.
INTEGERS = st.integers(-(2**63), 2**64 - 1)
SPACES = st.sampled_from(["", " ", "\n", "\r\n  ", "\t"])


def patched(patch, span_bytes, buffer_bytes):
    patch.setattr(json_array, "SPAN_BYTES", span_bytes)
    patch.setattr(json_array, "BUFFER_BYTES", buffer_bytes)


@given(
    st.lists(OBJECTS | TEXTS | INTEGERS, max_size=6),
    SPACES,
    st.booleans(),
    st.sampled_from([None, 2]),
    st.sampled_from([1, 7, 64, 10**6]),
    st.sampled_from([1, 7, 64]),
)
@settings(max_examples=100, deadline=None)
def test_every_element_is_one_record_however_the_file_is_cut(
    scratch, all_records, values, space, has_mark, indent, span_bytes, buffer_bytes
):
    text = space + json.dumps(values, indent=indent, ensure_ascii=False) + space
    path = scratch("array.json", b"\xef\xbb\xbf" * has_mark + text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patched(patch, span_bytes, buffer_bytes)
        records = all_records(JsonArray(), path)
    whole = path.read_bytes()
    assert [orjson.loads(whole[r.offset : r.offset + r.size]) for r in records] == values
    assert [isinstance(r.fields, SampleError) for r in records] == [
        not isinstance(value, dict) for value in values
    ]


@given(st.lists(OBJECTS, max_size=4), SPACES, st.sampled_from([1, 9, 10**6]))
@settings(deadline=None, max_examples=6)
def test_cut_off_at_every_byte(scratch, all_records, values, space, span_bytes):
    elements = [json.dumps(value) + "," for value in values]
    text = f"[{''.join(elements).rstrip(',')}]{space}"
    # An element counts once a comma or the bracket follows it.
    ends = [1 + len("".join(elements[: number + 1])) for number in range(len(values))]
    with pytest.MonkeyPatch.context() as patch:
        patched(patch, span_bytes, 64)
        for cut in range(1, len(text)):
            records = all_records(JsonArray(), scratch("cut.json", text[:cut].encode()))
            if text[cut:].strip():
                last = records.pop()
                assert last.fields.reason is RejectReason.TRUNCATED_FILE
                assert last.offset + last.size == cut
            whole = sum(end <= cut for end in ends)
            assert [record.fields for record in records] == values[:whole]


@pytest.mark.parametrize(
    ("element", "reason"),
    [
        (b'{"text": "\xff"}', RejectReason.INVALID_UTF8),
        (b"{'a': 1}", RejectReason.INVALID_JSON),
        (b'{"a": 1} {"b": 2}', RejectReason.TRUNCATED_FILE),
        (b'{"a": 1}{"b": 2} ; {"c": 3}', RejectReason.TRUNCATED_FILE),
        (b'[{"a": 1}, {"b": 2}]', RejectReason.TRUNCATED_FILE),
        (b'{"a": nan}', RejectReason.INVALID_JSON),
        (b"nonsense", RejectReason.INVALID_JSON),
        (b"[]", RejectReason.INVALID_SAMPLE),
        (b"17", RejectReason.INVALID_SAMPLE),
        (b"null", RejectReason.INVALID_SAMPLE),
    ],
)
@pytest.mark.parametrize("span_bytes", [1, 10**6])
def test_a_broken_element_costs_itself_alone(
    tmp_path, all_records, monkeypatch, element, reason, span_bytes
):
    patched(monkeypatch, span_bytes, 8)
    path = tmp_path / "a.json"
    path.write_bytes(b'[{"n": 1}, ' + element + b', {"n": 2}]')
    first, broken, last = all_records(JsonArray(), path)
    assert (first.fields, last.fields) == ({"n": 1}, {"n": 2})
    assert broken.fields.reason is reason


@pytest.mark.parametrize("rest", [b"]", b",{}", b'{"n": 3}', b"[]", b"x"])
@pytest.mark.parametrize("span_bytes", [1, 10**6])
def test_what_follows_the_array_is_one_record(tmp_path, all_records, monkeypatch, rest, span_bytes):
    patched(monkeypatch, span_bytes, 8)
    path = tmp_path / "a.json"
    path.write_bytes(b'[{"n": 1}, {"n": 2}]\n' + rest)
    *records, last = all_records(JsonArray(), path)
    assert [record.fields["n"] for record in records] == [1, 2]
    assert (last.offset, last.size) == (21, len(rest))
    assert last.fields.detail == f"{len(rest)} bytes follow the end of the text, at byte 21"
    assert last.fields.unread == len(rest)


def test_a_bracket_too_many_is_not_silent(tmp_path, all_records):
    path = tmp_path / "a.json"
    path.write_bytes(b'[{"n": 1}}, {"n": 2}, {"n": 3}]')
    first, damage, *others = all_records(JsonArray(), path)
    assert [record.fields["n"] for record in (first, *others)] == [1, 2, 3]
    assert damage.fields.reason is RejectReason.INVALID_JSON
    assert (damage.offset, damage.size) == (10, 2)


def test_a_large_array_takes_constant_memory(tmp_path):
    path = tmp_path / "large.json"
    element = orjson.dumps({"image": "x" * 50_000, "conversations": [{"value": '["]'}] * 20})
    with open(path, "wb") as file:
        file.write(b"[" + element)
        for _ in range(1199):
            file.write(b",\n" + element)
        file.write(b"]")
    assert path.stat().st_size > 60_000_000
    container = JsonArray()
    next(container.scan(path, container.split(path)[0]))
    tracemalloc.start()
    try:
        count = sum(1 for span in container.split(path) for _ in container.scan(path, span))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 1200
    assert peak < 16 << 20


@pytest.mark.parametrize("data", [b"[]", b" [\n] \n", b"\xef\xbb\xbf[]"])
def test_an_empty_array(tmp_path, all_records, data):
    path = tmp_path / "a.json"
    path.write_bytes(data)
    assert all_records(JsonArray(), path) == []


@given(st.binary(max_size=50), st.sampled_from([1, 5, 100]))
@settings(deadline=None)
def test_any_bytes_in_an_array(scratch, all_records, junk, span_bytes):
    with pytest.MonkeyPatch.context() as patch:
        patched(patch, span_bytes, 4)
        all_records(JsonArray(), scratch("junk.json", b"[" + junk))


@given(OBJECTS, SPACES, st.booleans())
@settings(deadline=None)
def test_an_object_is_one_record(scratch, all_records, value, space, has_mark):
    text = (space + json.dumps(value, indent=1) + space).encode()
    path = scratch("object.json", b"\xef\xbb\xbf" * has_mark + text)
    (record,) = all_records(JsonObject(), path)
    assert record.fields == value
    assert (record.offset, record.size) == (3 * has_mark, len(text))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", RejectReason.INVALID_JSON),
        (b"{", RejectReason.INVALID_JSON),
        (b'{"a": "\xff"}', RejectReason.INVALID_UTF8),
        (b"17", RejectReason.INVALID_SAMPLE),
    ],
)
def test_a_broken_object_is_one_record(tmp_path, all_records, data, reason):
    path = tmp_path / "a.json"
    path.write_bytes(data)
    (record,) = all_records(JsonObject(), path)
    assert record.fields.reason is reason
