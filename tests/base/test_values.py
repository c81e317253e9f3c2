"""Values from outside: whole numbers are whole, and no value makes a message long or fail."""

import numpy as np
import pytest

from packkit.base.errors import InputError
from packkit.base.values import check_number, check_positive, check_whole, is_whole, shown


@pytest.mark.parametrize(
    "value", [True, np.True_, 1.0, "1", None, -1, 4, 10**20, float("nan"), [1], np.float64(1)]
)
def test_only_whole_numbers_inside_their_bounds_are_whole(value):
    assert not is_whole(value, 0, 3)


@pytest.mark.parametrize("value", [0, 3, np.int64(2), np.uint8(1)])
def test_every_kind_of_integer_is_whole(value):
    assert is_whole(value, 0, 3)


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (True, "must be a whole number, got True"),
        (1.0, "must be a whole number, got 1.0"),
        (float("nan"), "must be a whole number, got nan"),
        (0, "must be at least 1, got 0"),
        (9, "must be at most 8, got 9"),
    ],
)
def test_a_number_out_of_range_is_named_with_its_rule(value, rule):
    with pytest.raises(InputError, match=f"^size {rule}$"):
        check_whole("size", value, 1, 8)


def test_a_number_of_any_length_is_refused_in_words():
    with pytest.raises(
        InputError, match=r"^size must be at most 8, got a number too long to show$"
    ):
        check_whole("size", 10**5000, 1, 8)


def test_both_ends_of_the_range_are_inside():
    for value in (1, 8, np.int32(8)):
        check_whole("size", value, 1, 8)
    for value in (0, 0.5, 1, np.float32(1)):
        check_number("share", value, 0, 1)
    check_number("price", 1.7e308, 0)


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -float("inf"), -0.1, True, "1", 10**400, None]
)
def test_only_finite_numbers_are_numbers(value):
    with pytest.raises(InputError, match=r"^price must be at least 0 and finite, got "):
        check_number("price", value, 0)
    with pytest.raises(InputError, match=r"^share must be in \[0, 1\], got "):
        check_number("share", value, 0, 1)
    with pytest.raises(InputError, match=r"^rate must be positive and finite, got "):
        check_positive("rate", value)


def test_long_and_deep_values_are_cut():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert shown("x" * 10_000) == "'" + "x" * 199 + "..."
    assert shown(deep) == "a list nested too deeply to show"
    assert shown(10**20) == "1" + "0" * 20
