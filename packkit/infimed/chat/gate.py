"""Lets requests out while they may be sent, and counts what comes back."""

from __future__ import annotations

import asyncio
from typing import Literal

from packkit.infimed.chat.chat_model import Reply
from packkit.infimed.chat.spending import NOTHING, Limits, Spending

Limit = Literal["max_requests", "max_cost"]


class Gate:
    """Where the requests of one run pass; belongs to one event loop.

    A request takes with it the most that it may cost, and brings back what it did: the limit on
    costs holds although replies are still on their way.

    Args:
        limits: How much may be spent.
        spent: What earlier runs spent.
    """

    def __init__(self, limits: Limits, spent: Spending) -> None:
        self._limits = limits
        self._sent = spent.attempts
        self._cost = spent.priced(limits.prices).cost or 0.0
        self._held = 0.0
        self._returned = asyncio.Event()
        self._closed = asyncio.Event()
        self.out = 0
        """Requests on their way."""
        self.replies = 0
        """Requests that brought back a reply."""
        self.unmetered = 0
        """Replies for which the server did not say how many tokens they took."""
        self.spent = NOTHING
        """By this run."""
        self.reached: Limit | None = None
        """The limit that a request did not fit into any more, once there was such a request."""

    @property
    def is_closed(self) -> bool:
        """Whether nothing more is let out."""
        return self._closed.is_set()

    def close(self) -> None:
        """Lets nothing more out, and wakes whoever waits."""
        self._closed.set()
        self._returned.set()

    async def pass_out(self, prompt_tokens: int, completion_tokens: int) -> bool:
        """Waits until a request may be sent.

        Args:
            prompt_tokens: That it is estimated to have.
            completion_tokens: That its reply may have at most.

        Returns:
            Whether it may; else it will not fit any more, or the gate is closed.
        """
        most = self._price(prompt_tokens, completion_tokens)
        while not self.is_closed:
            limit = self._limit_reached(most)
            if limit is None:
                self._sent += 1
                self.out += 1
                self._held += most
                return True
            # What others bring back may make room for costs, never for requests.
            if limit == "max_requests" or not self.out:
                self.reached = limit
                return False
            self._returned.clear()
            await self._returned.wait()
        return False

    def come_back(
        self, prompt_tokens: int, completion_tokens: int, reply: Reply | None
    ) -> Spending:
        """Takes back a request that was let out with these figures; returns what it came to.

        Args:
            prompt_tokens: That it was estimated to have.
            completion_tokens: That its reply might have at most.
            reply: Its reply, if it brought one.
        """
        self.out -= 1
        # No dust of rounding may be left once all are back.
        most = self._price(prompt_tokens, completion_tokens)
        self._held = self._held - most if self.out else 0.0
        spent = self._spending_of(reply)
        self.spent += spent
        self._cost += spent.cost or 0.0
        self._returned.set()
        return spent

    async def pause(self, seconds: float) -> bool:
        """Waits some time, less if the gate closes; returns whether it is still open."""
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

    def _limit_reached(self, most: float) -> Limit | None:
        limits = self._limits
        if limits.max_requests is not None and self._sent >= limits.max_requests:
            return "max_requests"
        if limits.max_cost is not None and self._cost + self._held + most > limits.max_cost:
            return "max_cost"
        return None
