"""What requests cost, and how much may be spent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from packkit.base.errors import InputError
from packkit.base.values import LARGEST_COUNT, check_number, check_positive, check_whole

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Prices:
    """What tokens cost, in any currency.

    Attributes:
        prompt: Price of a million tokens sent.
        completion: Price of a million tokens written.

    Raises:
        InputError: A price is negative, or not finite.

    >>> Prices(2.5, 10.0).of(1000, 100)
    0.0035
    """

    prompt: float
    completion: float

    def __post_init__(self) -> None:
        check_number("price_in", self.prompt, 0)
        check_number("price_out", self.completion, 0)

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Returns what tokens cost."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / _MILLION


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be spent; what earlier runs spent counts.

    Attributes:
        max_requests: Most requests that may be sent, failed ones included; None for no limit.
        max_cost: Highest cost, in the currency of `prices`; None for no limit.
        prices: Prices of tokens, without which costs cannot be limited.

    Raises:
        InputError: `max_cost` is given without prices, or a limit is not over 0 and finite.
    """

    max_requests: int | None = None
    max_cost: float | None = None
    prices: Prices | None = None

    def __post_init__(self) -> None:
        if self.max_cost is not None and self.prices is None:
            raise InputError("max_cost needs the prices of tokens")
        if self.max_requests is not None:
            check_whole("max_requests", self.max_requests, 1, LARGEST_COUNT)
        if self.max_cost is not None:
            check_positive("max_cost", self.max_cost)


@dataclass(frozen=True, slots=True)
class Spending:
    """What some requests came to.

    Attributes:
        attempts: Requests sent.
        prompt_tokens: Tokens sent, as the server counted.
        completion_tokens: Tokens written, as the server counted.
        cost: Cost in the currency of the prices; None where no prices are known.
    """

    attempts: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None

    def priced(self, prices: Prices | None) -> Spending:
        """Returns the same with a cost, where prices are known and there is no cost yet."""
        if prices is None or self.cost is not None:
            return self
        return replace(self, cost=prices.of(self.prompt_tokens, self.completion_tokens))

    def __add__(self, other: Spending) -> Spending:
        """Returns the sum; without a cost where either has none."""
        is_priced = self.cost is not None and other.cost is not None
        return Spending(
            self.attempts + other.attempts,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            (self.cost or 0.0) + (other.cost or 0.0) if is_priced else None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns the figures as JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


NOTHING = Spending(cost=0.0)
"""What no request at all comes to."""
