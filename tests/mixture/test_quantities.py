"""Counts are exact, and a total is dealt without losing one."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import InputError
from packkit.mixture.quantities import apportion, parse_count

WEIGHTS = st.lists(st.floats(0.001, 1000), min_size=1, max_size=20)


@given(st.integers(1, 10**6), st.sampled_from(["", "K", "M", "B"]))
def test_units_are_powers_of_a_thousand(number, unit):
    power = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9}[unit]
    assert parse_count(f"{number}{unit}") == number * power
    assert parse_count(f"{number:,}{unit}") == number * power


@pytest.mark.parametrize(("text", "count"), [("1.5M", 1_500_000), ("0.013K", 13), (9835, 9835)])
def test_fractions_of_a_unit_are_exact(text, count):
    assert parse_count(text) == count


@pytest.mark.parametrize("text", ["", "0", 0, -3, "K", "1.2345K", "13k3", "1e3", "-5K", "all"])
def test_what_is_no_whole_count_is_an_error_that_names_it(text):
    with pytest.raises(InputError, match=r"must be a whole number of at least 1") as caught:
        parse_count(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("text", [10**30, "10000000B", "9" * 4999])
def test_counts_beyond_json_are_refused(text):
    with pytest.raises(InputError, match="must be"):
        parse_count(text)


@given(st.integers(0, 10**6), WEIGHTS)
def test_shares_add_up_and_are_within_one_of_exact(total, weights):
    shares = apportion(total, weights)
    whole = sum(map(Fraction, weights))
    assert sum(shares) == total
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share - total * Fraction(weight) / whole) < 1
