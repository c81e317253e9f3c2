"""Costs are sums of prices, and unknown where a price is."""

import pytest

from packkit.base.errors import InputError
from packkit.infimed.chat import NOTHING, Limits, Prices, Spending

PRICES = Prices(1.0, 4.0)


def test_spending_adds_up_and_has_a_cost_only_where_all_of_it_has():
    first, second = Spending(1, 10, 2, 0.5), Spending(2, 5, 1, 0.25)
    assert first + second == Spending(3, 15, 3, 0.75)
    assert (first + Spending(1)).cost is None
    assert NOTHING + first == first


def test_price_is_put_on_what_has_none():
    assert Spending(1, 1_000_000, 500_000).priced(PRICES).cost == 3.0
    assert Spending(1, 1_000_000, 500_000, 7.0).priced(PRICES).cost == 7.0
    assert Spending(1, 1_000_000).priced(None).cost is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_cost": 1.0}, "max_cost needs the prices"),
        ({"max_cost": 0.0, "prices": PRICES}, "max_cost must be positive and finite, got 0.0"),
        ({"max_cost": float("nan"), "prices": PRICES}, "max_cost must be positive and finite"),
        ({"max_requests": 0}, "max_requests must be at least 1, got 0"),
        ({"max_requests": 2**53}, "max_requests must be at most 9007199254740991"),
    ],
)
def test_limits_that_make_no_sense(options, words):
    with pytest.raises(InputError, match=words):
        Limits(**options)


def test_prices_are_not_negative():
    with pytest.raises(InputError, match="at least 0"):
        Prices(-1.0, 1.0)
    for wrong in (float("nan"), float("inf")):
        with pytest.raises(InputError, match="price_out must be at least 0 and finite"):
            Prices(1.0, wrong)
