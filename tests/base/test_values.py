"""Values from outside: whole numbers are whole, and no value makes a message long or fail."""

import numpy as np
import pytest

from packkit.base.values import is_whole, shown


@pytest.mark.parametrize(
    "value", [True, np.True_, 1.0, "1", None, -1, 4, 10**20, float("nan"), [1], np.float64(1)]
)
def test_only_whole_numbers_inside_their_bounds_are_whole(value):
    assert not is_whole(value, 0, 3)


@pytest.mark.parametrize("value", [0, 3, np.int64(2), np.uint8(1)])
def test_every_kind_of_integer_is_whole(value):
    assert is_whole(value, 0, 3)


def test_long_and_deep_values_are_cut():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert shown("x" * 10_000) == "'" + "x" * 199 + "..."
    assert shown(deep) == "a list nested too deeply to show"
    assert shown(10**20) == "1" + "0" * 20
