"""One request to a real server over a real socket, and what its answer is taken for."""

import asyncio
import time
from email.utils import formatdate

import pytest
from loopback_server import Answer, failure, reply, serving

from packkit.base.errors import InputError
from packkit.infimed.chat import (
    AccessError,
    AdaptedError,
    ChatError,
    FilteredError,
    OpenAIChat,
    RetryableError,
    UnreachableError,
)

MESSAGES = [{"role": "user", "content": "hello"}]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def complete(server, times=1, **options):
    model = OpenAIChat("m", base_url=server.url, **options)

    async def run():
        async with model:
            for _ in range(times - 1):
                with pytest.raises(AdaptedError):
                    await model.complete(MESSAGES, {"type": "object"})
            return await model.complete(MESSAGES, {"type": "object"})

    return asyncio.run(run())


def test_reply_is_read_with_its_usage():
    with serving(lambda request: reply("{}", usage=(7, 3))) as server:
        answer = complete(server)
    assert (answer.text, answer.refusal, answer.finish_reason) == ("{}", None, "stop")
    assert (answer.prompt_tokens, answer.completion_tokens) == (7, 3)
    (entry,) = server.log
    assert entry.request["model"] == "m"
    assert entry.request["messages"] == MESSAGES
    assert entry.request["max_completion_tokens"] == 4096


def test_key_and_address_come_from_the_environment(monkeypatch):
    with serving(lambda request: reply("{}")) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "secret")
        complete(server)
        assert server.log[0].headers["authorization"] == "Bearer secret"
        complete(server, api_key="other")
        assert server.log[1].headers["authorization"] == "Bearer other"
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        server.url = None
        complete(server)
    assert len(server.log) == 3


def test_no_key_is_needed_elsewhere_but_at_openai():
    with serving(lambda request: reply("{}")) as server:
        complete(server)
    with pytest.raises(InputError, match="OPENAI_API_KEY must be set, or base_url name another"):
        OpenAIChat("m")


def test_text_that_utf8_cannot_hold_is_mended():
    body = b'{"choices": [{"message": {"content": "a\\ud800b"}, "finish_reason": "stop"}]}'
    with serving(lambda request: Answer(body=body)) as server:
        answer = complete(server)
    assert answer.text == "a?b"
    assert answer.prompt_tokens is None


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (failure(401, "Incorrect API key"), AccessError, "model m at .* 401: Incorrect API key"),
        (failure(403), AccessError, "403"),
        (failure(404, "no such model"), AccessError, "no such model"),
        (failure(429, "quota", code="insufficient_quota"), AccessError, "quota"),
        (failure(429, "slow down"), RetryableError, "429: slow down"),
        (failure(408), RetryableError, "408"),
        (failure(500), RetryableError, "500"),
        (Answer(status=503, body=b"<html>busy"), RetryableError, "busy"),
        (failure(400, "filtered", code="content_filter"), FilteredError, "filtered"),
        (failure(400, "Invalid image"), ChatError, "400: Invalid image"),
        (failure(413), ChatError, "413"),
        (Answer(body=b"{no JSON"), UnreachableError, "no JSON object"),
        (
            Answer(body=b"<html>", headers={"Content-Type": "text/html"}),
            UnreachableError,
            "object: HTML:",
        ),
        (Answer(body=b'"hello"'), UnreachableError, "no JSON object"),
        (Answer(body={"error": "Unexpected endpoint"}), UnreachableError, "Unexpected endpoint"),
        (Answer(body={"status": "up"}), UnreachableError, "no OpenAI-compatible answer"),
        (Answer(status=400, body=b"<html>https port"), UnreachableError, "https port"),
        (Answer(body={"error": {"message": "upstream"}}), RetryableError, "upstream"),
        (Answer(body={"choices": []}), RetryableError, "no reply"),
        (reply("x" * 1000, cut_after=100), RetryableError, "connection broke"),
        (reply("{}", delay=1.0), RetryableError, "no answer within 0.3 s"),
    ],
)
def test_answers_that_are_no_reply(answer, kind, words):
    with serving(lambda request: answer) as server:
        with pytest.raises(ChatError, match=words) as caught:
            complete(server, timeout=0.3)
        server.settle()
    assert type(caught.value) is kind


def test_model_that_was_left_can_be_entered_again(ask):
    with serving(lambda request: reply('{"n": 1}')) as server:
        model = OpenAIChat("m", base_url=server.url)
        for _ in range(2):
            assert ask(server, 3, model=model)[0].states == {"ok": 3}


def test_model_that_was_not_entered_is_a_mistake():
    model = OpenAIChat("m", base_url="http://127.0.0.1:9/v1")
    with pytest.raises(RuntimeError, match="must be entered"):
        asyncio.run(model.complete(MESSAGES, None))


def test_server_that_is_not_there():
    with serving(lambda request: reply("{}")) as server:
        pass
    with pytest.raises(
        UnreachableError, match=f"m at {server.url}: no connection: nothing listens"
    ):
        complete(server)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("2", 2.0), ("0.5", 0.5), ("-1", 0.0), ("soon", None), (None, None), ("date", 30.0)],
)
def test_retry_after(header, seconds):
    text = formatdate(time.time() + 30, usegmt=True) if header == "date" else header
    answer = failure(429, headers={} if text is None else {"Retry-After": text})
    with serving(lambda request: answer) as server, pytest.raises(RetryableError) as caught:
        complete(server)
    expected = None if seconds is None else pytest.approx(seconds, abs=3 if header == "date" else 0)
    assert caught.value.retry_after == expected


def test_parameters_are_learned_one_by_one():
    def script(request):
        kind = request.get("response_format", {}).get("type")
        if kind == "json_schema":
            return failure(400, f"response_format {kind} is not supported")
        if kind == "json_object":
            return failure(400, "unknown", param="response_format")
        if "max_completion_tokens" in request:
            return failure(422, "Unknown parameter: max_completion_tokens")
        if "temperature" in request:
            return failure(400, "Unsupported", param="temperature", code="unsupported_value")
        return reply("{}")

    with serving(script) as server:
        complete(server, times=5)
    assert len(server.log) == 5
    assert server.log[-1].request == {"model": "m", "messages": MESSAGES, "max_tokens": 4096}


def test_requests_side_by_side_adapt_once():
    def script(request):
        if request.get("response_format", {}).get("type") == "json_schema":
            return failure(400, "response_format is not supported", delay=0.05)
        return reply("{}")

    async def run(model):
        async with model:
            asked = (model.complete(MESSAGES, {}) for _ in range(4))
            first = await asyncio.gather(*asked, return_exceptions=True)
            await model.complete(MESSAGES, {})
        return first

    with serving(script) as server:
        first = asyncio.run(run(OpenAIChat("m", base_url=server.url)))
    assert {type(error) for error in first} == {AdaptedError}
    assert server.log[-1].request["response_format"] == {"type": "json_object"}
