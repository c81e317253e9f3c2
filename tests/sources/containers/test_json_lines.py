import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError, UnreadError
from packkit.sources.containers import json_lines
from packkit.sources.containers.json_lines import JsonLines, parse_object

OBJECTS = st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers(0, 9), max_size=3)
GOOD_LINES = OBJECTS.map(orjson.dumps)
BROKEN_LINES = st.binary(min_size=1, max_size=20).filter(
    lambda line: (
        b"\n" not in line and line.strip() and not line.startswith(b"\xef") and not reads(line)
    )
)
BLANK_LINES = st.sampled_from([b"", b" ", b"\t\r"])


def reads(line):
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


@given(
    st.lists(st.one_of(GOOD_LINES, BROKEN_LINES, BLANK_LINES), max_size=12),
    st.sampled_from([b"\n", b"\r\n"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([1, 7, 64, 10**6]),
    st.sampled_from([2, 7, 64]),
)
@settings(deadline=None)
def test_every_line_is_one_record_however_the_file_is_cut(
    scratch, all_records, lines, end, has_mark, ends, span_bytes, buffer_bytes
):
    text = end.join(lines) + (end if ends else b"")
    path = scratch("lines.jsonl", b"\xef\xbb\xbf" * has_mark + text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_lines, "SPAN_BYTES", span_bytes)
        patch.setattr(json_lines, "BUFFER_BYTES", buffer_bytes)
        records = all_records(JsonLines(), path)
        spans = JsonLines().split(path)
    expected = [line for line in text.split(b"\n") if line.strip()]
    whole = path.read_bytes()
    assert [whole[r.offset : r.offset + r.size].strip(b"\n") for r in records] == expected
    assert [not isinstance(r.fields, SampleError) for r in records] == [*map(reads, expected)]
    longest = max(map(len, whole.split(b"\n"))) + 1
    assert all(span.stop - span.start <= span_bytes + longest for span in spans)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"text": "\xff"}', RejectReason.INVALID_UTF8),
        (b'{"text": "\xed\xa0\x80"}', RejectReason.INVALID_UTF8),
        ('{"text": "a"}'.encode("utf-16-le").replace(b"\n", b""), RejectReason.INVALID_JSON),
        (b"{", RejectReason.INVALID_JSON),
        (b'{"text": "cut o', RejectReason.INVALID_JSON),
        (b'{"a": "} {"} x', RejectReason.INVALID_JSON),
        (b'{"a": 1},', RejectReason.INVALID_JSON),
        (b"{'a': 1}", RejectReason.INVALID_JSON),
        (b'{"a": nan}', RejectReason.INVALID_JSON),
        (b'{"a": NaN', RejectReason.INVALID_JSON),
        (b'{"a": NaN, "b": "\\ud800"}', RejectReason.INVALID_JSON),
        (b'{"a": 1e400}', RejectReason.INVALID_JSON),
        (b'{"a": "\\ud800"}', RejectReason.INVALID_JSON),
        (b'{"a": "\0"}', RejectReason.INVALID_JSON),
        (b'{"a": ' + b"[" * 2000 + b"]" * 2000 + b"}", RejectReason.INVALID_JSON),
        (b"[" * 100_000, RejectReason.INVALID_JSON),
        (b'\xef\xbb\xbf{"a": 1}', RejectReason.INVALID_JSON),
        (b"\0\0\0\0", RejectReason.INVALID_JSON),
        (b"[]", RejectReason.INVALID_SAMPLE),
        (b"null", RejectReason.INVALID_SAMPLE),
        (b'"text"', RejectReason.INVALID_SAMPLE),
        (b"17", RejectReason.INVALID_SAMPLE),
    ],
)
def test_a_broken_line_costs_itself_alone(tmp_path, all_records, line, reason):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"n": 1}\n' + line + b'\n{"n": 2}\n')
    first, broken, last = all_records(JsonLines(), path)
    assert (first.fields, last.fields) == ({"n": 1}, {"n": 2})
    assert broken.fields.reason is reason
    assert len(str(broken.fields)) < 300


def test_a_line_longer_than_spans_and_buffers(tmp_path, all_records, monkeypatch):
    monkeypatch.setattr(json_lines, "SPAN_BYTES", 100)
    monkeypatch.setattr(json_lines, "BUFFER_BYTES", 64)
    lines = [orjson.dumps({"n": n, "x": "x" * (5000 if n == 3 else 10)}) for n in range(9)]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(lines))
    assert [record.fields["n"] for record in all_records(JsonLines(), path)] == list(range(9))


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n  \n"])
def test_a_file_without_records(tmp_path, all_records, data):
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    assert all_records(JsonLines(), path) == []


def test_a_scan_that_is_left_early_closes_the_file(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"{}\n" * 5)
    container = JsonLines()
    scan = container.scan(path, *container.split(path))
    next(scan)
    # An unclosed file would warn, and warnings are errors here.
    del scan


@given(st.binary(max_size=60) | OBJECTS.map(orjson.dumps))
def test_only_sample_errors_escape(data):
    try:
        fields = JsonLines().load(data)
    except SampleError:
        assert not reads(data)
    else:
        assert fields == orjson.loads(data) == parse_object(data)


@pytest.mark.parametrize(
    "line",
    [
        *(b'{"a": "} {"}' + between + b'{"b": 2}' for between in (b"", b" ", b"\r", b", ", b" ; ")),
        *(b'[{"a": 1}, {"b": 2}]', b'{"text": "\xff"}{"b": 2}'),
    ],
)
def test_several_objects_in_a_line_are_no_single_reject(tmp_path, all_records, line):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"n": 1}\n' + line + b'\n{"n": 2}\n')
    first, several, last = all_records(JsonLines(), path)
    assert (first.fields, last.fields) == ({"n": 1}, {"n": 2})
    assert isinstance(several.fields, UnreadError)
    assert several.fields.unread == several.size == len(line) + 1


@pytest.mark.parametrize("digits", ["18446744073709551616", "-9223372036854775809", "9" * 300])
@pytest.mark.parametrize("constant", ["1.5", "NaN"])
def test_integers_that_no_64_bits_hold_are_kept_by_their_digits(digits, constant):
    fields = JsonLines().load(f'{{"id": {digits}, "x": [{constant}], "y": 1e300}}'.encode())
    assert fields == {"id": digits, "x": [1.5 if constant == "1.5" else None], "y": 1e300}


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63), 2**63, 0])
def test_integers_of_64_bits_are_numbers(number):
    assert JsonLines().load(f'{{"id": {number}, "x": 1e300}}'.encode())["id"] == number
