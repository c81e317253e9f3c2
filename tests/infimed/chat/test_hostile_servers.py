"""Servers that redirect, repeat secrets, or answer without end; each behind a real socket."""

import asyncio
import gzip
import json
import time

import pytest
from loopback_server import Answer, failure, reply, serving

from packkit.base.errors import InputError
from packkit.infimed.chat import AccessError, ChatError, OpenAIChat, Reply, RetryableError

MESSAGES = [{"role": "user", "content": "hello"}]
PASSWORD, KEY, TOKEN = "hunter2", "sk-0123456789abcdef", "t0ken-in-query"
SECRETS = (PASSWORD, KEY, TOKEN, "YWxpY2U6aHVudGVyMg==")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def complete(url, **options):
    model = OpenAIChat("m", base_url=url, **options)

    async def run():
        async with model:
            return await model.complete(MESSAGES, {"type": "object"})

    return asyncio.run(run())


def with_credentials(server):
    return server.url.replace("://", f"://alice:{PASSWORD}@") + f"?key={TOKEN}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_refused_and_carry_nothing_on(status):
    with serving(lambda request: reply("{}")) as other:
        place = f"{other.url}/chat/completions?key={TOKEN}"
        answer = Answer(status=status, body=b"", headers={"Location": place})
        with (
            serving(lambda request: answer) as server,
            pytest.raises(AccessError, match=f"redirects to {other.url}/chat") as caught,
        ):
            complete(with_credentials(server), api_key=KEY)
        assert (len(server.log), other.log) == (1, [])
    assert not any(secret in str(caught.value) for secret in SECRETS)


def test_credentials_of_the_address_are_sent():
    with serving(lambda request: reply("{}")) as server:
        complete(with_credentials(server), api_key=KEY)
        complete(server.url, api_key=f" {KEY}\n")
    first, second = (entry.headers["authorization"] for entry in server.log)
    assert (first, second) == ("Basic YWxpY2U6aHVudGVyMg==", f"Bearer {KEY}")
    assert server.paths == [f"/v1/chat/completions?key={TOKEN}", "/v1/chat/completions"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 429, 500, 503])
@pytest.mark.parametrize("form", ["message", "detail", "text", "deep"])
def test_what_a_server_repeats_of_credentials_is_hidden(status, form):
    echo = f"key {KEY}, {PASSWORD}@host, ?key={TOKEN}, Basic {SECRETS[-1]}"
    bodies = {"message": {"error": {"message": echo}}, "detail": {"detail": echo}}
    bodies |= {"text": echo.encode(), "deep": {"error": {"code": [echo], "param": {"of": echo}}}}
    with (
        serving(lambda request: Answer(status=status, body=bodies[form])) as server,
        pytest.raises(ChatError, match=r"\[hidden\]") as caught,
    ):
        complete(with_credentials(server), api_key=KEY)
    assert not any(secret in str(caught.value) for secret in SECRETS)
    assert caught.value.__suppress_context__


def test_credentials_in_replies_are_hidden():
    echo = f"You sent {KEY} and {PASSWORD}."
    with serving(lambda request: reply(echo, refusal=echo)) as server:
        answer = complete(with_credentials(server), api_key=KEY)
    assert answer.text == answer.refusal == "You sent [hidden] and [hidden]."


@pytest.mark.parametrize("key", ["schlüssel-geheim", "geheim\x1b[31m", "ge\nheim"])
def test_a_key_that_no_header_holds_is_refused_and_not_repeated(key):
    with pytest.raises(InputError, match="OPENAI_API_KEY must be printable ASCII") as caught:
        OpenAIChat("m", base_url="http://localhost:1/v1", api_key=key)
    assert "heim" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply("x" * 2_000_000), "more than 1,049,856 bytes"),
        (failure(500, "x" * 2_000_000), "more than 1,049,856 bytes"),
        (
            Answer(body=gzip.compress(bytes(50_000_000)), headers={"Content-Encoding": "gzip"}),
            "more than 1,049,856 bytes",
        ),
        (Answer(body=b"plain", headers={"Content-Encoding": "gzip"}), "connection broke"),
        (reply("{}", drip=0.05), "no answer within 0.5 s"),
        (Answer(body=b"{" * 100_000), "no JSON object"),
        (Answer(body=b"\xff\xfe{}"), "no JSON object"),
        (Answer(status=500, body=b"[" * 100_000), "HTTP 500"),
        (Answer(status=500, body={"error": {"code": [1], "message": [], "param": 3}}), "HTTP 500"),
        (
            Answer(status=429, body=b"x", headers={"Content-Type": "text/plain; charset=hex"}),
            "HTTP 429: x",
        ),
    ],
)
def test_absurd_answers_are_failed_requests(answer, words):
    start = time.monotonic()
    with (
        serving(lambda request: answer) as server,
        pytest.raises(RetryableError, match=words) as caught,
    ):
        complete(server.url, timeout=0.5, max_tokens=20)
    assert time.monotonic() - start < 5
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("count", [10**30, -5, 1.5, "7", None, float("nan"), [1]])
def test_absurd_usage_counts_as_none(ask, count):
    usage = {"prompt_tokens": count, "completion_tokens": count}
    body = {**reply('{"n": 1}').body, "usage": usage}
    with serving(lambda request: Answer(body=json.dumps(body).encode())) as server:
        report, recorded = ask(server, 3)
    assert (report.states, report.unmetered) == ({"ok": 3}, 3)
    assert report.spent.prompt_tokens == report.spent.completion_tokens == 0
    assert all(result.spent.prompt_tokens == 0 for _, result in recorded)


@pytest.mark.parametrize("wait", ["9" * 400, "1e9", "Fri, 01 Jan 9999 00:00:00 GMT"])
def test_a_wait_without_end_gives_the_task_up(ask, wait):
    def script(request):
        if "3" in request["messages"][-1]["content"]:
            return failure(429, headers={"Retry-After": wait})
        return reply('{"n": 1}')

    with serving(script) as server:
        report, _ = ask(server, 6, concurrency=1)
    assert report.states == {"ok": 5, "http_error": 1}


def test_a_reply_of_odd_parts_is_their_text():
    content = [{"type": "text", "text": "a"}, {"text": {}}, 3, {"text": "b"}]
    body = {"choices": [{"message": {"content": content, "refusal": 7}, "finish_reason": {}}]}
    with serving(lambda request: Answer(body=body)) as server:
        assert complete(server.url) == Reply(text="ab", finish_reason="")
