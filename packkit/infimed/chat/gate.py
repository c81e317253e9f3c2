"""Admits requests while the limits allow it, and counts what they come to."""

from __future__ import annotations

import asyncio
from typing import Literal

from packkit.infimed.chat.chat_model import Reply
from packkit.infimed.chat.spending import NOTHING, Limits, Spending

LimitName = Literal["max_requests", "max_cost"]


class Gate:
    """Admits the requests of one run; belongs to one event loop.

    When a request is admitted, the most that it may cost is reserved; when it is settled, what it
    did cost takes that place. So the limit on costs holds while requests are in flight. Until the
    first reply requests go one at a time: an endpoint that answers none is asked once, not by all.

    Args:
        limits: How much may be spent.
        spent: What earlier runs spent; it counts.
    """

    def __init__(self, limits: Limits, spent: Spending) -> None:
        self._limits = limits
        self._sent = spent.attempts
        self._cost = spent.priced(limits.prices).cost or 0.0
        self._reserved = 0.0
        self._settled = asyncio.Event()
        self._closed = asyncio.Event()
        self.in_flight = 0
        """Requests that were admitted and are not settled yet."""
        self.replies = 0
        """Requests that got a reply."""
        self.unmetered = 0
        """Replies for which the server did not say how many tokens they took."""
        self.spent = NOTHING
        """What all settled requests came to."""
        self.reached: LimitName | None = None
        """The limit that kept a request back; None while none did."""

    @property
    def is_closed(self) -> bool:
        """Whether no more requests are admitted."""
        return self._closed.is_set()

    def close(self) -> None:
        """Admits no more requests, and ends every wait."""
        self._closed.set()
        self._settled.set()

    async def admit(self, prompt_tokens: int, completion_tokens: int) -> bool:
        """Waits until it is known whether a request may be sent.

        Args:
            prompt_tokens: Estimated tokens of the request.
            completion_tokens: Tokens that the reply may have at most.

        Returns:
            Whether it may be sent; if not, a limit is reached or the gate is closed.
        """
        most = self._price(prompt_tokens, completion_tokens)
        while not self.is_closed:
            limit = self._limit_reached(most)
            is_first = not self.replies and self.in_flight
            if limit is None and not is_first:
                self._sent += 1
                self.in_flight += 1
                self._reserved += most
                return True
            # Requests that are settled may cost less than reserved, but they stay requests.
            if limit is not None and (limit == "max_requests" or not self.in_flight):
                self.reached = limit
                return False
            self._settled.clear()
            await self._settled.wait()
        return False

    def settle(self, prompt_tokens: int, completion_tokens: int, reply: Reply | None) -> Spending:
        """Counts a request that has ended, and returns what it came to.

        Args:
            prompt_tokens: Estimated tokens of the request, as it was admitted.
            completion_tokens: Tokens that the reply might have at most, as it was admitted.
            reply: The reply; None where there is none.
        """
        self.in_flight -= 1
        # Sums of floats are not exact: once nothing is in flight, nothing is reserved.
        most = self._price(prompt_tokens, completion_tokens)
        self._reserved = self._reserved - most if self.in_flight else 0.0
        spent = self._spending_of(reply)
        self.spent += spent
        self._cost += spent.cost or 0.0
        self._settled.set()
        return spent

    async def pause(self, seconds: float) -> bool:
        """Waits until the time is over or the gate closes; returns whether it is still open."""
        try:
            await asyncio.wait_for(self._closed.wait(), seconds)
        except TimeoutError:
            return True
        return False

    def _spending_of(self, reply: Reply | None) -> Spending:
        if reply is None:
            return Spending(1).priced(self._limits.prices)
        self.replies += 1
        if reply.prompt_tokens is None or reply.completion_tokens is None:
            self.unmetered += 1
        tokens = reply.prompt_tokens or 0, reply.completion_tokens or 0
        return Spending(1, *tokens).priced(self._limits.prices)

    def _price(self, prompt_tokens: int, completion_tokens: int) -> float:
        prices = self._limits.prices
        return 0.0 if prices is None else prices.of(prompt_tokens, completion_tokens)

    def _limit_reached(self, most: float) -> LimitName | None:
        limits = self._limits
        if limits.max_requests is not None and self._sent >= limits.max_requests:
            return "max_requests"
        if limits.max_cost is not None and self._cost + self._reserved + most > limits.max_cost:
            return "max_cost"
        return None
