"""First contact: what is wrong with an endpoint ends the run at its first request."""

import socket
import threading
import time

import pytest
from loopback_server import Answer, LoopbackServer, failure, reply, serving
from numbered_tasks import number_of

from packkit.infimed.chat import AccessError, OpenAIChat, RetryPolicy
from packkit.infimed.chat.contact import is_unknown_model, why_unconnected

PAGE = Answer(body=b"<html>welcome", headers={"Content-Type": "text/html"})


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def first_contact(ask, server, model=None):
    """Asks with the patience of a real run; returns the error, and nothing may be recorded."""
    recorded, start = [], time.monotonic()
    with pytest.raises(AccessError) as caught:
        ask(
            server,
            50,
            model=model,
            policy=RetryPolicy(),
            record=lambda task, result: recorded.append(result),
        )
    assert time.monotonic() - start < 2
    assert recorded == []
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (PAGE, "no OpenAI-compatible answer; is the address right?"),
        (Answer(body=b"It works!"), "is no JSON object: It works!"),
        (Answer(body={"error": "Unexpected endpoint"}), "Unexpected endpoint"),
        (Answer(status=400, body=b"<html>sent to HTTPS port"), "HTTP 400: HTML: sent to HTTPS"),
        (Answer(status=405, body=b"no"), "/v1/chat/completions was asked: addresses mostly end"),
        (Answer(status=501, body=b"no"), "/v1/chat/completions was asked"),
        (failure(404, "Not Found"), "/v1/chat/completions was asked: addresses mostly end in /v1"),
        (failure(404, "The model `m` does not exist."), "/v1/models lists those it knows"),
        (failure(404, 'model "m" not found, try pulling it first'), "no model of this name"),
        (failure(400, "Invalid model name passed in model=m"), "no model of this name"),
        (failure(400, "bad request", code="model_not_found"), "no model of this name"),
        (failure(422, "m", param="model"), "no model of this name"),
        (failure(401, "who?"), "HTTP 401: who?; is OPENAI_API_KEY right?"),
        (failure(403, "no"), "HTTP 403: no; is OPENAI_API_KEY right?"),
    ],
)
def test_an_endpoint_that_cannot_be_meant_is_asked_once(ask, answer, words):
    with serving(lambda request: answer) as server:
        said = first_contact(ask, server)
    assert said.startswith(f"model m at {server.url}: ") and words in said
    assert len(server.log) == 1


def test_a_key_that_is_missing_is_said(ask):
    with serving(lambda request: failure(401, "who?")) as server:
        said = first_contact(ask, server, OpenAIChat("m", base_url=server.url))
    assert said.endswith("OPENAI_API_KEY is not set")


def test_nothing_that_listens_is_said_with_address_and_variable(ask, monkeypatch):
    with serving(lambda request: PAGE) as server:
        pass
    address = server.url.replace("://", "://me:secretword@")
    monkeypatch.setenv("OPENAI_BASE_URL", address + "?key=secretkey")
    said = first_contact(ask, server, OpenAIChat("m"))
    assert said.startswith(f"model m at {server.url} (OPENAI_BASE_URL): no connection: nothing")
    assert "loads its model" in said and "secret" not in said


def test_a_host_that_nobody_knows_is_said(ask, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    said = first_contact(ask, None, OpenAIChat("m", base_url="http://nowhere.invalid/v1"))
    assert said == (
        "model m at http://nowhere.invalid/v1: no connection: the name of the host cannot be "
        "resolved; is the address right?"
    )


def test_a_server_of_http_that_is_asked_by_https(ask):
    with serving(lambda request: PAGE) as server:
        url = server.url.replace("http", "https", 1)
        said = first_contact(ask, server, OpenAIChat("m", base_url=url))
    assert f"{url}: no connection: [SSL" in said


def test_requests_go_alone_until_the_first_reply(ask):
    answers = [failure(503), failure(400, "Invalid image")]

    def script(request):
        if len(server.log) < len(answers):
            return answers[len(server.log)]
        return reply('{"n": 1}', delay=0.2)

    with serving(script) as server:
        report, _ = ask(server, 10, concurrency=5)
    assert report.states == {"ok": 9, "http_error": 1}
    arrivals = [entry.arrived for entry in server.log]
    # Of the requests behind the first reply four and more come at once.
    assert arrivals[3] - arrivals[2] >= 0.2 > arrivals[6] - arrivals[3]


def test_a_server_that_restarts_loses_nothing(ask):
    gone, back = [], []

    def stop_and_come_back(server):
        server.stop()
        gone.append(time.monotonic())
        time.sleep(0.5)
        again = LoopbackServer(script, int(server.url.rsplit(":", 1)[1].split("/")[0]))
        again.start()
        back.append(again)

    def script(request):
        if len(server.log) == 10 and not gone:
            threading.Thread(target=stop_and_come_back, args=(server,)).start()
        number = number_of(request)
        headers = {"Connection": "close"}
        return reply(f'{{"n": {number}}}', headers=headers, delay=0.02)

    server = LoopbackServer(script)
    server.start()
    policy = RetryPolicy(attempts=6, base=0.1)
    try:
        report, recorded = ask(server, 60, concurrency=4, policy=policy)
    finally:
        back[0].stop()
    assert report.states == {"ok": 60}
    failed = [result for _, result in recorded if result.state != "ok"]
    assert failed and all(f"model m at {server.url}: " in result.error for result in failed)
    assert any("no connection: nothing listens there" in result.error for result in failed)
    assert dict(recorded).keys() == set(range(60))


def test_a_foreign_answer_in_the_middle_is_tried_again(ask):
    def script(request):
        return PAGE if len(server.log) == 3 else reply(f'{{"n": {number_of(request)}}}')

    with serving(script) as server:
        report, recorded = ask(server, 6, concurrency=1)
    assert report.states == {"ok": 6}
    assert [result.state for _, result in recorded].count("http_error") == 1


@pytest.mark.parametrize(
    "said",
    [
        "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
        "Invalid image: the model cannot read it",
        "this model takes no unknown parameter",
        "At most 1 image(s) may be provided in one request.",
    ],
)
def test_what_is_wrong_with_one_request_is_not_wrong_with_the_model(said):
    assert not is_unknown_model(said, None, None)


@pytest.mark.parametrize(
    "said", ["Model Not Exist", "typo is not a valid model ID", "Unknown model: typo"]
)
def test_words_for_a_model_that_is_not_there(said):
    assert is_unknown_model(said, None, None)


def test_a_connection_that_broke_was_one():
    assert why_unconnected(ConnectionResetError("gone")) is None
