import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError
from packkit.sources.containers import json_lines
from packkit.sources.containers.packs import PackFile, PackLines

TEXTS = st.text(st.sampled_from('[]{},:"\\ \né片ab'), max_size=12)
SAMPLES = st.dictionaries(
    TEXTS, TEXTS | st.lists(TEXTS | st.integers(0, 9), max_size=3), max_size=3
)
PACKS = st.lists(SAMPLES, max_size=4).flatmap(
    lambda data: st.fixed_dictionaries(
        {
            "data": st.just(data),
            "lengths": st.lists(st.integers(1, 4096), min_size=len(data), max_size=len(data)),
        }
    )
)
PACK = {"data": [{"content": "a]"}, {"content": "b}"}], "lengths": [3, 4]}


def fields_of(records):
    return [record.fields for record in records]


@given(
    st.lists(st.tuples(PACKS, st.booleans()), max_size=4),
    st.sampled_from([b"\n", b"\r\n", b"\n\n"]),
    st.booleans(),
    st.sampled_from([1, 7, 64, 10**6]),
)
@settings(max_examples=100, deadline=None)
def test_every_sample_of_every_line(scratch, all_records, packs, end, has_mark, span_bytes):
    lines = [
        orjson.dumps(dict(reversed(pack.items())) if is_reversed else pack)
        for pack, is_reversed in packs
    ]
    path = scratch("packs.jsonl", b"\xef\xbb\xbf" * has_mark + end.join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_lines, "SPAN_BYTES", span_bytes)
        records = all_records(PackLines(), path)
    assert fields_of(records) == [sample for pack, _ in packs for sample in pack["data"]]


@given(PACKS, st.sampled_from([None, 2]), st.booleans(), st.booleans())
@settings(deadline=None)
def test_every_sample_of_a_file(scratch, all_records, pack, indent, is_reversed, has_mark):
    pack = dict(reversed(pack.items())) if is_reversed else pack
    text = json.dumps(pack, indent=indent, ensure_ascii=False).encode()
    path = scratch("a_packed.json", b"\xef\xbb\xbf" * has_mark + text)
    assert fields_of(all_records(PackFile(), path)) == pack["data"]


@given(PACKS, st.sampled_from([None, 1]), st.booleans())
@settings(deadline=None, max_examples=6)
def test_cut_off_at_every_byte(scratch, all_records, pack, indent, is_reversed):
    pack = dict(reversed(pack.items())) if is_reversed else pack
    text = json.dumps(pack, indent=indent).encode()
    for cut in range(1, len(text)):
        *records, last = all_records(PackFile(), scratch("cut.json", text[:cut]))
        assert fields_of(records) == pack["data"][: len(records)]
        assert last.fields.reason is RejectReason.TRUNCATED_FILE
        if next(iter(pack)) == "data" and b'"lengths"' in text[:cut]:
            assert len(records) == len(pack["data"])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"junk", RejectReason.INVALID_JSON),
        (b"17", RejectReason.INVALID_SAMPLE),
        (b"{}", RejectReason.INVALID_SAMPLE),
        (b"[]", RejectReason.INVALID_SAMPLE),
        (b"[1]", RejectReason.INVALID_SAMPLE),
        (b'{"messages": [{"role": "user"}]}', RejectReason.INVALID_SAMPLE),
        (b'{"data": 5, "lengths": []}', RejectReason.INVALID_SAMPLE),
        (b'{"data": {}, "lengths": []}', RejectReason.INVALID_SAMPLE),
        (b'{"lengths": [1]}', RejectReason.INVALID_SAMPLE),
        (b'{"data": [{"a": 1}], "lengths": [1], "data": []}', RejectReason.INVALID_SAMPLE),
        (b'{"data": [{"a": 1}], "lengths": [1]} more', RejectReason.TRUNCATED_FILE),
        (b'{"data": [{"a": 1}], "lengths": [1]}}', RejectReason.TRUNCATED_FILE),
        (b'{"data": [{"a": 1}] "lengths": [1]}', RejectReason.TRUNCATED_FILE),
        (b'{"data": [{"a": 1}], "\xff": [1]}', RejectReason.TRUNCATED_FILE),
        (b"\0\0\0", RejectReason.INVALID_JSON),
    ],
)
def test_a_line_that_is_no_pack_is_one_record(tmp_path, all_records, line, reason):
    path = tmp_path / "a.jsonl"
    good = orjson.dumps(PACK)
    path.write_bytes(good + b"\n" + line + b"\n" + good)
    records = all_records(PackLines(), path)
    assert fields_of(records[:2]) == fields_of(records[3:]) == PACK["data"]
    assert records[2].fields.reason is reason
    assert (records[2].offset, records[2].size) == (len(good) + 1, len(line) + 1)


@pytest.mark.parametrize(
    ("sample", "reason"),
    [
        (b'{"content": "\xff"}', RejectReason.INVALID_UTF8),
        (b'{"content": nonsense}', RejectReason.INVALID_JSON),
        (b"nonsense", RejectReason.INVALID_JSON),
        (b"5", RejectReason.INVALID_SAMPLE),
        (b'"a"', RejectReason.INVALID_SAMPLE),
        (b"[1, 2]", RejectReason.INVALID_SAMPLE),
    ],
)
def test_a_broken_sample_costs_itself_alone(tmp_path, all_records, sample, reason):
    path = tmp_path / "a.json"
    path.write_bytes(b'{"data": [{"n": 1}, ' + sample + b', {"n": 2}], "lengths": [1, 2, 3]}')
    first, broken, last = all_records(PackFile(), path)
    assert (first.fields, last.fields) == ({"n": 1}, {"n": 2})
    assert broken.fields.reason is reason


@pytest.mark.parametrize("lengths", [[], [1], [1, 2, 3]])
def test_samples_without_their_lengths_are_read_and_told(tmp_path, all_records, lengths):
    path = tmp_path / "a.json"
    path.write_bytes(orjson.dumps(PACK | {"lengths": lengths}))
    *records, last = all_records(PackFile(), path)
    assert fields_of(records) == PACK["data"]
    assert last.fields.reason is RejectReason.INVALID_SAMPLE
    assert last.fields.detail == f"a pack of 2 samples and {len(lengths)} lengths"


def test_lists_under_other_keys_hold_no_samples(tmp_path, all_records):
    path = tmp_path / "a.json"
    pack = {"more": [{"n": 0}], "meta": {"x": [1, 2]}, **PACK, "last": [5, [6], {}], "n": 1}
    path.write_bytes(orjson.dumps(pack))
    assert fields_of(all_records(PackFile(), path)) == PACK["data"]


@given(st.binary(max_size=60), st.sampled_from([b"", b'{"data": [', b'{"data":[{}],"lengths":[1']))
@settings(deadline=None)
def test_any_bytes(scratch, all_records, junk, head):
    for container in (PackLines(), PackFile()):
        records = all_records(container, scratch("junk.json", head + junk))
        assert (
            records or not (head + junk).strip(b"\xef\xbb\xbf \t\r\n") or can_be_empty(head + junk)
        )
        assert all(isinstance(r.fields, SampleError) or r.fields == {} for r in records)


def can_be_empty(text):
    """Whether this is a pack without samples."""
    try:
        packs = [json.loads(line) for line in text.split(b"\n") if line.strip()]
    except ValueError:
        return False
    return all(isinstance(pack, dict) and pack.get("data") == [] for pack in packs)
