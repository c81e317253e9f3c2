import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError
from packkit.sources.containers.pipe_lines import PipeLines

PIPES = PipeLines()


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (b"a|which?|that", {"image_id": "a", "question": "which?", "answer": "that"}),
        (b" a | which? | t h \r\n", {"image_id": "a", "question": "which?", "answer": "t h"}),
        ("a|哪个？|肺".encode(), {"image_id": "a", "question": "哪个？", "answer": "肺"}),
        (b"||", {"image_id": "", "question": "", "answer": ""}),
        (
            b"a|organ system|which?|that",
            {"image_id": "a", "category": "organ system", "question": "which?", "answer": "that"},
        ),
    ],
)
def test_lines(line, fields):
    assert PIPES.load(line) == fields


@pytest.mark.parametrize(
    ("line", "reason", "detail"),
    [
        (b"a plain text", RejectReason.INVALID_SAMPLE, "got 1 fields"),
        (b"a|which?", RejectReason.INVALID_SAMPLE, "got 2 fields"),
        (b"a|which plane is it?|this|that", RejectReason.INVALID_SAMPLE, "got 4 fields"),
        (b"a||which?|that", RejectReason.INVALID_SAMPLE, "got 4 fields"),
        (b"a|b|c|d|e", RejectReason.INVALID_SAMPLE, "got 5 fields"),
        (b"a|\xff|c", RejectReason.INVALID_UTF8, "invalid start byte"),
    ],
)
def test_lines_that_are_none(line, reason, detail):
    with pytest.raises(SampleError, match=detail) as caught:
        PIPES.load(line)
    assert caught.value.reason is reason


@given(st.lists(st.binary(max_size=12).filter(lambda line: b"\n" not in line), max_size=8))
@settings(deadline=None)
def test_every_line_that_is_not_blank_is_one_record(scratch, all_records, lines):
    path = scratch("a.txt", b"\n".join(lines))
    records = all_records(PIPES, path)
    # A byte order mark at the beginning is no part of the first line.
    first = [line.removeprefix(b"\xef\xbb\xbf") for line in lines[:1]]
    assert len(records) == sum(1 for line in first + lines[1:] if line and not line.isspace())
    for record in records:
        is_record = not isinstance(record.fields, SampleError)
        assert not is_record or record.fields.keys() >= {"image_id", "question", "answer"}
