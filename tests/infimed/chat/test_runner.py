"""Every task ends once, every request counts, and no limit is passed."""

import os
import signal
import threading
import time
from collections import Counter

import pytest
from loopback_server import failure, reply, serving, user_text

from packkit.base.errors import InputError
from packkit.infimed.chat import AccessError, Limits, OpenAIChat, Prices, RetryPolicy, Spending

PRICES = Prices(1000.0, 4000.0)


def number_of(request):
    return int(user_text(request).split()[1].rstrip(";"))


def last_outcomes(recorded):
    return dict(recorded)


class Script:
    """Answers by the task's number and by how often it came."""

    def __init__(self, answers):
        self.answers = answers
        self.came = Counter()

    def __call__(self, request):
        number = number_of(request)
        self.came[number] += 1
        planned = self.answers.get(number, [])
        turn = self.came[number] - 1
        return planned[turn] if turn < len(planned) else reply(f'{{"n": {number}}}')


def test_each_task_ends_in_one_state_and_every_request_counts(ask):
    script = Script(
        {
            1: [failure(500), failure(429, headers={"Retry-After": "0.2"})],
            2: [reply("no JSON"), reply('{"n": "two"}')],
            3: [reply("no JSON")] * 9,
            4: [reply("", refusal="I will not")],
            5: [failure(503)] * 9,
            6: [failure(400, "Invalid image")],
            7: [reply("x" * 500, cut_after=50)],
            8: [failure(400, "filtered", code="content_filter")],
        }
    )
    with serving(script) as server:
        report, recorded = ask(server, limits=Limits(prices=PRICES))
        server.settle()
    outcomes = last_outcomes(recorded)
    states = ["ok"] * 3 + ["parse_error", "refused", "http_error", "http_error"]
    assert [outcomes[number].state for number in range(10)] == [*states, "ok", "refused", "ok"]
    assert [outcomes[number].value for number in (0, 1, 2)] == [0, 1, 2]
    attempts = [outcomes[number].spent.attempts for number in range(10)]
    assert attempts == [1, 3, 3, 3, 1, 4, 1, 2, 1, 1] == [script.came[n] for n in range(10)]
    assert outcomes[3].reply == "no JSON" and outcomes[4].reply == "I will not"
    assert report.states == Counter(one.state for one in outcomes.values())
    assert report.spent.attempts == len(server.log) == len(recorded)
    assert (report.spent.prompt_tokens, report.spent.completion_tokens) == server.usage
    assert report.spent.cost == pytest.approx(PRICES.of(*server.usage))


def test_what_came_so_far_is_recorded_after_every_request(ask):
    with serving(Script({0: [failure(500), reply("no JSON")]})) as server:
        _, recorded = ask(server, 1)
    assert [(one.state, one.spent.attempts) for _, one in recorded] == [
        ("http_error", 1),
        ("parse_error", 2),
        ("ok", 3),
    ]


def test_server_is_waited_for_as_long_as_it_asks(ask):
    with serving(Script({1: [failure(429, headers={"Retry-After": "0.6"})]})) as server:
        ask(server, 2, concurrency=1)
    first, second = (entry.arrived for entry in server.log if number_of(entry.request) == 1)
    assert second - first >= 0.6


def test_server_that_asks_for_too_long_is_not_waited_for(ask):
    with serving(Script({1: [failure(429, headers={"Retry-After": "3600"})]})) as server:
        _, recorded = ask(server, 2, concurrency=1)
    assert last_outcomes(recorded)[1].state == "http_error"


def test_waits_double_and_are_jittered():
    policy = RetryPolicy(base=1.0, longest=10.0)
    for failures, most in ((1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (50, 10)):
        waits = [policy.wait(failures, None) for _ in range(50)]
        assert all(most / 2 <= wait <= most for wait in waits)
        assert len(set(waits)) > 1
    assert 3 <= policy.wait(1, 3.0) <= 4
    assert policy.wait(1, 11.0) is None


@pytest.mark.parametrize("status", [401, 403, 404])
def test_wrong_key_ends_the_run_at_once(ask, status):
    with serving(lambda request: failure(status, "go away")) as server:
        start = time.monotonic()
        with pytest.raises(AccessError, match="go away"):
            ask(server, 500, concurrency=4)
        assert time.monotonic() - start < 2
    assert len(server.log) <= 4


def test_replies_on_their_way_are_kept_when_the_run_ends(ask):
    recorded = []

    def script(request):
        number = number_of(request)
        return failure(401) if number == 0 else reply(f'{{"n": {number}}}', delay=0.3)

    class ChatModel(OpenAIChat):
        async def complete(self, messages, schema):
            try:
                found = await super().complete(messages, schema)
            except AccessError:
                recorded.append("failed")
                raise
            recorded.append(found.text)
            return found

    with serving(script) as server:
        judge = ChatModel("m", base_url=server.url, max_tokens=50)
        with pytest.raises(AccessError):
            ask(server, 9, judge=judge, concurrency=3)
    assert recorded[0] == "failed"
    assert sorted(recorded[1:]) == ['{"n": 1}', '{"n": 2}']


def test_server_that_never_answers_ends_the_run(ask):
    with serving(lambda request: failure(503, "starting")) as server:
        with pytest.raises(AccessError, match="nothing is answered so far: HTTP 503: starting"):
            ask(server, 500, concurrency=2)
        server.settle()
    assert len(server.log) <= 8


def test_server_that_fails_later_does_not_end_the_run(ask):
    def script(request):
        return reply('{"n": 0}') if number_of(request) == 0 else failure(503)

    with serving(script) as server:
        report, _ = ask(server, 4, concurrency=1)
    assert report.states == {"ok": 1, "http_error": 3}


@pytest.mark.parametrize("concurrency", [1, 5])
def test_requests_are_limited_and_earlier_ones_count(ask, concurrency):
    with serving(Script({0: [failure(500)], 2: [reply("no JSON")] * 5})) as server:
        report, recorded = ask(
            server,
            50,
            concurrency=concurrency,
            limits=Limits(max_requests=20),
            spent=Spending(8),
        )
    assert len(server.log) == report.spent.attempts == len(recorded) == 12
    assert report.reached == "max_requests"


@pytest.mark.parametrize("concurrency", [1, 6])
def test_cost_is_limited_while_replies_are_on_their_way(ask, concurrency):
    # A request is taken to cost up to 100 + 4 * 50 = 300 thousandths, and costs 180.
    limits = Limits(max_cost=3.0, prices=PRICES)
    earlier = Spending(5, 500, 100, None)
    script = lambda request: reply(f'{{"n": {number_of(request)}}}', delay=0.02)  # noqa: E731
    with serving(script) as server:
        report, _ = ask(server, 50, concurrency=concurrency, limits=limits, spent=earlier)
    total = PRICES.of(500, 100) + report.spent.cost
    assert report.spent.cost == pytest.approx(PRICES.of(*server.usage))
    assert total <= 3.0
    # It stops only once not even one more is sure to fit.
    assert total + 0.3 > 3.0
    assert report.reached == "max_cost"


def test_limit_on_cost_needs_prices_and_a_server_that_counts(ask):
    with pytest.raises(InputError, match="needs the prices"):
        Limits(max_cost=1.0)
    with serving(lambda request: reply('{"n": 1}', usage=None)) as server:
        with pytest.raises(AccessError, match="how many tokens"):
            ask(server, limits=Limits(max_cost=1.0, prices=PRICES))
        report, _ = ask(server, 3)
    assert report.unmetered == 3


def test_no_more_tasks_than_allowed_at_the_same_time(ask):
    now, most, lock = 0, 0, threading.Lock()

    class ChatModel(OpenAIChat):
        async def complete(self, messages, schema):
            nonlocal now, most
            with lock:
                now += 1
                most = max(most, now)
            try:
                return await super().complete(messages, schema)
            finally:
                with lock:
                    now -= 1

    with serving(lambda request: reply('{"n": 1}', delay=0.02)) as server:
        ask(server, 20, judge=ChatModel("m", base_url=server.url), concurrency=4)
    assert most == 4


def test_judge_that_was_left_can_be_entered_again(ask):
    with serving(lambda request: reply('{"n": 1}')) as server:
        judge = OpenAIChat("m", base_url=server.url)
        for _ in range(2):
            assert ask(server, 3, judge=judge)[0].states == {"ok": 3}


def test_ctrl_c_waits_for_replies_and_keeps_them(ask):
    kept = []

    def script(request):
        number = number_of(request)
        if number == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return reply(f'{{"n": {number}}}', delay=0.2)

    class ChatModel(OpenAIChat):
        async def complete(self, messages, schema):
            found = await super().complete(messages, schema)
            kept.append(found)
            return found

    with serving(script) as server:
        with pytest.raises(KeyboardInterrupt):
            ask(server, 50, judge=ChatModel("m", base_url=server.url), concurrency=3)
        server.settle()
    assert 6 <= len(server.log) <= 8
    assert len(kept) == len(server.log)


def test_second_ctrl_c_abandons_what_is_on_its_way(ask):
    def script(request):
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        return reply("{}", delay=4.0)

    with serving(script) as server:
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            ask(server, 50, concurrency=2)
        assert time.monotonic() - start < 3.5
        server.settle()
    assert len(server.log) == 2


def test_answers_that_cannot_be_kept_end_the_run(ask):
    def fail(task, outcome):
        raise OSError("disk full")

    with serving(lambda request: reply('{"n": 1}')) as server:
        with pytest.raises(OSError, match="disk full"):
            ask(server, 50, record=fail, concurrency=2)
        server.settle()
    assert len(server.log) <= 2
