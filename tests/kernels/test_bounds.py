"""No bound is over the optimum, and each of the three is needed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit_kernels.bounds import bin_lower_bound


def bound(lengths, capacity):
    return bin_lower_bound(np.bincount(lengths, minlength=capacity + 1), capacity)


@st.composite
def problems(draw):
    capacity = draw(st.integers(1, 40))
    return draw(st.lists(st.integers(1, capacity), max_size=8)), capacity


@given(problems())
@settings(max_examples=400, deadline=None)
def test_bound_is_at_least_the_mean_load_and_at_most_the_optimum(fewest_bins, problem):
    lengths, capacity = problem
    assert -(-sum(lengths) // capacity) <= bound(lengths, capacity)
    assert bound(lengths, capacity) <= fewest_bins(lengths, capacity)


@pytest.mark.parametrize(
    ("lengths", "capacity", "expected"),
    [
        pytest.param([5, 5, 5, 5], 10, 2, id="sum"),
        # Two of 7 and two of 6 stand alone, and 4s fit beside the 6s only: L2.
        pytest.param([7, 7, 6, 6, 4, 4, 4, 4], 10, 5, id="l2"),
        # No three lengths over a third of a bin share one: u^(2).
        pytest.param([34] * 10, 100, 5, id="rounding"),
        pytest.param([], 10, 0, id="empty"),
        pytest.param([1], 1, 1, id="one token"),
    ],
)
def test_bound_is_tight_where_one_of_the_three_is(lengths, capacity, expected):
    assert bound(lengths, capacity) == expected


def test_bound_of_ten_billion_samples_is_exact():
    counts = np.zeros(4097, np.int64)
    counts[[1366, 683]] = 10**10
    # Over two and one sixth of a bin: two and one of five places, for 3 * 10**10 places.
    assert bin_lower_bound(counts, 4096) == 6 * 10**9
