"""No limit is passed, whatever is in flight, and a run goes as far as its limits let it."""

import asyncio

import pytest
from loopback_server import failure, reply, serving
from numbered_tasks import PRICES, Script, number_of

from packkit.infimed.chat import Limits, Reply, Spending
from packkit.infimed.chat.gate import Gate

# A request of 100 tokens and up to 50 in reply is taken to cost 0.3, and this one costs 0.18.
ANSWERED = Reply(text="", prompt_tokens=100, completion_tokens=20)


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
def test_cost_is_limited_while_requests_are_in_flight(ask, concurrency):
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


def test_request_that_may_not_fit_waits_for_those_in_flight():
    async def run():
        gate = Gate(Limits(max_cost=0.5, prices=PRICES), Spending())
        assert await gate.admit(100, 50)
        second = asyncio.create_task(gate.admit(100, 50))
        await asyncio.sleep(0)
        assert not second.done() and gate.in_flight == 1
        # 0.18 instead of 0.3 leaves room for one more.
        assert gate.settle(100, 50, ANSWERED).cost == pytest.approx(0.18)
        assert await second
        gate.settle(100, 50, None)
        assert gate.spent == Spending(2, 100, 20, pytest.approx(0.18))
        return gate

    gate = asyncio.run(run())
    assert (gate.in_flight, gate.replies, gate.unmetered, gate.reached) == (0, 1, 0, None)


def test_closed_gate_admits_nothing_and_ends_every_wait():
    async def run():
        gate = Gate(Limits(max_cost=0.5, prices=PRICES), Spending())
        assert await gate.admit(100, 50)
        waits = [asyncio.create_task(wait) for wait in (gate.admit(100, 50), gate.pause(3600))]
        await asyncio.sleep(0)
        gate.close()
        assert await asyncio.gather(*waits) == [False, False]
        assert not await gate.admit(1, 1)
        return gate

    gate = asyncio.run(run())
    assert gate.is_closed and gate.reached is None
