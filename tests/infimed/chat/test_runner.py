"""A run has so many tasks at a time, and whatever ends it loses no reply that is paid for."""

import os
import signal
import threading
import time

import pytest
from loopback_server import failure, reply, serving
from numbered_tasks import number_of

from packkit.base.errors import InputError
from packkit.infimed.chat import AccessError, OpenAIChat


@pytest.mark.parametrize("status", [401, 403, 404])
def test_wrong_key_ends_the_run_at_once(ask, status):
    with serving(lambda request: failure(status, "go away")) as server:
        start = time.monotonic()
        with pytest.raises(AccessError, match="go away"):
            ask(server, 500, concurrency=4)
        assert time.monotonic() - start < 2
    assert len(server.log) <= 4


def test_replies_to_requests_in_flight_are_kept_when_the_run_ends(ask):
    recorded = []

    def script(request):
        number = number_of(request)
        if number == 0:
            return reply('{"n": 0}')
        # The first to come side by side with others.
        return failure(401) if number == 1 else reply(f'{{"n": {number}}}', delay=0.3)

    class NotingChat(OpenAIChat):
        async def complete(self, messages, schema):
            try:
                answer = await super().complete(messages, schema)
            except AccessError:
                recorded.append("failed")
                raise
            recorded.append(answer.text)
            return answer

    with serving(script) as server:
        model = NotingChat("m", base_url=server.url, max_tokens=50)
        with pytest.raises(AccessError):
            ask(server, 9, model=model, concurrency=3)
    assert recorded[:2] == ['{"n": 0}', "failed"]
    assert sorted(recorded[2:]) == ['{"n": 2}', '{"n": 3}']


def test_no_more_tasks_than_allowed_at_the_same_time(ask):
    now, most, lock = 0, 0, threading.Lock()

    class CountingChat(OpenAIChat):
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
        ask(server, 20, model=CountingChat("m", base_url=server.url), concurrency=4)
    assert most == 4


def test_concurrency_is_at_least_1(ask):
    model = OpenAIChat("m", base_url="http://127.0.0.1:9/v1")
    with pytest.raises(InputError, match="concurrency must be at least 1, got 0"):
        ask(None, model=model, concurrency=0)


def test_progress_counts_every_task_and_what_is_spent(ask):
    seen = []
    with serving(lambda request: reply(f'{{"n": {number_of(request)}}}')) as server:
        report, _ = ask(server, 5, concurrency=1, on_progress=seen.append)
    assert [progress.states for progress in seen] == [{"ok": n} for n in range(1, 6)]
    assert [progress.spent.attempts for progress in seen] == [1, 2, 3, 4, 5]
    assert not any(progress.in_flight or progress.is_stopping for progress in seen)
    assert seen[-1].spent == report.spent


def test_ctrl_c_waits_for_replies_and_keeps_them(ask):
    kept = []

    def script(request):
        number = number_of(request)
        if number == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return reply(f'{{"n": {number}}}', delay=0.2)

    class KeepingChat(OpenAIChat):
        async def complete(self, messages, schema):
            answer = await super().complete(messages, schema)
            kept.append(answer)
            return answer

    with serving(script) as server:
        with pytest.raises(KeyboardInterrupt):
            ask(server, 50, model=KeepingChat("m", base_url=server.url), concurrency=3)
        server.settle()
    assert 6 <= len(server.log) <= 8
    assert len(kept) == len(server.log)


def test_second_ctrl_c_abandons_requests_in_flight(ask):
    arrived, release, stops = [], threading.Event(), []

    def script(request):
        arrived.append(number_of(request))
        if len(arrived) == 1:
            return reply('{"n": 0}')
        if len(arrived) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return reply("{}", hold=release)

    def on_progress(progress):
        # The first request goes alone, and has its reply.
        if not progress.is_stopping:
            return
        # The first Ctrl-C has been taken in: nothing more is sent, and two replies are waited for.
        assert progress.in_flight == 2
        stops.append(progress)
        if len(stops) == 1:
            os.kill(os.getpid(), signal.SIGINT)

    with serving(script) as server:
        try:
            with pytest.raises(KeyboardInterrupt):
                ask(server, 50, concurrency=2, on_progress=on_progress)
            # The run is over, and the server has not answered yet.
            assert [entry.handled.is_set() for entry in server.log] == [True, False, False]
        finally:
            release.set()
        server.settle()
    assert (len(stops), len(server.log)) == (2, 3)


def test_answers_that_cannot_be_kept_end_the_run(ask):
    def fail(task, result):
        raise OSError("disk full")

    with serving(lambda request: reply('{"n": 1}')) as server:
        with pytest.raises(OSError, match="disk full"):
            ask(server, 50, record=fail, concurrency=2)
        server.settle()
    assert len(server.log) <= 2
