"""Every task ends in one state, and requests that fail are tried again by the policy."""

import math
from collections import Counter

import pytest
from loopback_server import failure, reply, serving
from numbered_tasks import PRICES, Script, number_of

from packkit.base.errors import InputError
from packkit.infimed.chat import AccessError, Limits, RetryPolicy
from packkit.infimed.chat.asking import LARGEST_ATTEMPTS


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
    results = dict(recorded)
    states = ["ok"] * 3 + ["parse_error", "refused", "http_error", "http_error"]
    assert [results[number].state for number in range(10)] == [*states, "ok", "refused", "ok"]
    assert [results[number].value for number in (0, 1, 2)] == [0, 1, 2]
    attempts = [results[number].spent.attempts for number in range(10)]
    assert attempts == [1, 3, 3, 3, 1, 4, 1, 2, 1, 1] == [script.came[n] for n in range(10)]
    assert results[3].reply == "no JSON" and results[4].reply == "I will not"
    assert report.states == Counter(result.state for result in results.values())
    assert report.spent.attempts == len(server.log) == len(recorded)
    assert (report.spent.prompt_tokens, report.spent.completion_tokens) == server.usage
    assert report.spent.cost == pytest.approx(PRICES.of(*server.usage))


def test_what_came_so_far_is_recorded_after_every_request(ask):
    with serving(Script({0: [failure(500), reply("no JSON")]})) as server:
        _, recorded = ask(server, 1)
    assert [(result.state, result.spent.attempts) for _, result in recorded] == [
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
    assert dict(recorded)[1].state == "http_error"


def test_waits_double_and_are_jittered():
    policy = RetryPolicy(base=1.0, longest=10.0)
    for failures, most in ((1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (50, 10)):
        waits = [policy.wait(failures, None) for _ in range(50)]
        assert all(most / 2 <= wait <= most for wait in waits)
        assert len(set(waits)) > 1
    assert 3 <= policy.wait(1, 3.0) <= 4
    assert policy.wait(1, 11.0) is None


@pytest.mark.parametrize(
    ("option", "rule"),
    [
        ({"attempts": 0}, "attempts must be at least 1, got 0"),
        ({"attempts": 1001}, "attempts must be at most 1000, got 1001"),
        ({"unreadable": 0}, "unreadable must be at least 1, got 0"),
        ({"base": -1.0}, "base must be at least 0 and finite, got -1.0"),
        ({"longest": math.inf}, "longest must be at least 0 and finite, got inf"),
    ],
)
def test_policies_that_make_no_sense(option, rule):
    with pytest.raises(InputError, match=rule):
        RetryPolicy(**option)


def test_waits_of_the_most_attempts_are_numbers():
    policy = RetryPolicy(attempts=LARGEST_ATTEMPTS)
    assert policy.wait(LARGEST_ATTEMPTS, None) <= policy.longest


def test_server_that_never_answers_ends_the_run(ask):
    with serving(lambda request: failure(503, "starting")) as server:
        with pytest.raises(
            AccessError, match=r"nothing is answered so far: model m at .*: HTTP 503: starting"
        ):
            ask(server, 500, concurrency=2)
        server.settle()
    assert len(server.log) <= 8


def test_server_that_fails_later_does_not_end_the_run(ask):
    def script(request):
        return reply('{"n": 0}') if number_of(request) == 0 else failure(503)

    with serving(script) as server:
        report, _ = ask(server, 4, concurrency=1)
    assert report.states == {"ok": 1, "http_error": 3}


def test_limit_on_cost_needs_a_server_that_counts(ask):
    with serving(lambda request: reply('{"n": 1}', usage=None)) as server:
        with pytest.raises(AccessError, match="how many tokens"):
            ask(server, limits=Limits(max_cost=1.0, prices=PRICES))
        report, _ = ask(server, 3)
    assert report.unmetered == 3
