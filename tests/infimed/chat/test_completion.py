"""Bodies of answers, whatever a server puts into them."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.infimed.chat import Reply, RetryableError
from packkit.infimed.chat.address import Secrets
from packkit.infimed.chat.completion import error_field, excerpt, read_completion, retry_after

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def body(message=None, usage=None, reason="stop"):
    choice = {"message": message or {"content": "hi"}, "finish_reason": reason}
    return json.dumps({"choices": [choice], "usage": usage}).encode()


def read(content):
    """The reply, or None where there is none."""
    try:
        return read_completion(content, Secrets([]))
    except RetryableError:
        return None


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_a_reply_or_a_failed_request(content):
    assert read(content) is None or isinstance(read(content), Reply)


@given(JSON, JSON, JSON, JSON)
def test_any_field_may_be_anything(content, refusal, reason, usage):
    reply = read(body({"content": content, "refusal": refusal}, usage, reason))
    is_text = content is None or isinstance(content, str | list)
    assert (reply is not None) is is_text
    if reply is not None:
        (reply.text + (reply.refusal or "") + reply.finish_reason).encode()


@given(JSON)
def test_a_count_that_no_request_has_is_none(count):
    reply = read(body(usage={"prompt_tokens": count, "completion_tokens": 7}))
    is_count = type(count) is int and 0 <= count <= 10**9
    assert reply.prompt_tokens == (count if is_count else None)
    assert reply.completion_tokens == 7


@pytest.mark.parametrize("count", [10**30, -1, 7.0, "7", True, float("nan"), float("inf"), [], {}])
def test_absurd_counts(count):
    assert read(body(usage={"prompt_tokens": count, "completion_tokens": count})) == Reply(
        text="hi"
    )
    assert read(body(usage=count)) == Reply(text="hi")


@pytest.mark.parametrize("depth", [500, 990, 5_000, 500_000])
def test_deep_bodies(depth):
    deep = b"[" * depth + b"]" * depth
    assert read(deep) is None
    assert read(b'{"choices": %b}' % deep) is None
    assert read(b'{"choices": [{"message": %b}]}' % deep) is None


def test_numbers_too_long_for_python():
    assert read(b'{"usage": {"prompt_tokens": %b}}' % (b"9" * 6_000)) is None


@given(JSON)
def test_fields_of_errors_are_texts(value):
    field = error_field({"code": value, "type": value}, "code", "type")
    assert field == (value if isinstance(value, str) and value else None)
    assert error_field(value, "missing") is None


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_header_is_some_seconds_or_nothing(text):
    seconds = retry_after(text)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        *(("9" * 400, float("inf")), ("-1", 0.0), ("nan", 0.0), ("1e9", 1e9)),
        ("Fri, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Fri, 01 Jan 2027 00:00:00 +99999999999999", None),
        ("Fri, 1 Jan 1999 00:00:00 GMT", 0.0),
    ],
)
def test_absurd_waits(header, seconds):
    assert retry_after(header) == seconds


def test_little_of_a_body_is_shown_and_no_half_of_a_secret():
    nothing, secrets = Secrets([]), Secrets(["0123456789"])
    assert len(excerpt(b"\xff a\n" * 10_000, nothing)) <= 500
    assert excerpt(b"a\nb", nothing) == "a b"
    for place in range(485, 505):
        assert "0" not in excerpt("x" * place + "0123456789", secrets)


def test_of_a_web_page_its_text_is_shown():
    page = b"<!DOCTYPE html>\n<html lang='en'><title>Not\nfound</title><p>Try sk-0<b></b>123</html>"
    assert excerpt(page, Secrets(["sk-0123"])) == "HTML: Not found Try sk-0 123"
    start = time.monotonic()
    excerpt(b"<html>" + b"<" * 1_000_000, Secrets([]))
    assert time.monotonic() - start < 1
