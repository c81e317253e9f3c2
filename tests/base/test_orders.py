"""Orders: permutations, the same for ever, and even over all orders."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.orders import Permutation, hashes, seeded_key, seeded_order


def splitmix64(state, count):
    """The published algorithm, one number at a time."""
    outputs = []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
        outputs.append(z ^ (z >> 31))
    return outputs


@given(st.integers(0, 2**64 - 1), st.integers(0, 20))
def test_hashes_are_splitmix64(key, count):
    assert hashes(count, key).tolist() == splitmix64(key, count)


def test_first_output_is_the_published_one():
    # From the reference implementation in C, seed 1234567.
    assert hashes(1, 1234567).tolist() == [6457827717110365317]


@given(st.integers(0, 300), st.integers(0, 2**63), st.integers(0, 9))
def test_seeded_order_is_a_permutation(n, seed, stream):
    assert sorted(seeded_order(n, seed, stream).tolist()) == list(range(n))


@given(st.integers(1, 3000), st.integers(0, 2**64 - 1))
def test_permutation_takes_every_place_once(n, key):
    assert sorted(Permutation(n, key)(range(n)).tolist()) == list(range(n))


@given(st.integers(1, 10**9), st.integers(0, 2**64 - 1), st.data())
def test_place_does_not_depend_on_what_else_is_asked_for(n, key, data):
    places = data.draw(st.lists(st.integers(0, n - 1), max_size=10))
    order = Permutation(n, key)
    assert order(places).tolist() == [int(order([place])[0]) for place in places]


@pytest.mark.parametrize("n", [2, 3, 4])
def test_every_order_comes_up_evenly(n):
    orders = math.factorial(n)
    drawn = Counter(
        tuple(Permutation(n, seeded_key(5, number))(range(n)).tolist())
        for number in range(40 * orders)
    )
    chi_square = sum((drawn[order] - 40) ** 2 / 40 for order in drawn) + 40 * (orders - len(drawn))
    # Mean orders - 1, variance twice that: five standard deviations.
    assert chi_square < orders - 1 + 5 * math.sqrt(2 * (orders - 1))


def test_neighbours_and_keys_are_unrelated():
    n = 10_007
    first, second = (Permutation(n, seeded_key(0, epoch))(np.arange(n)) for epoch in (0, 1))
    limit = 5 / math.sqrt(n)
    for a, b in ((first[:-1], first[1:]), (first, second), (first, np.arange(n))):
        assert abs(np.corrcoef(a, b)[0, 1]) < limit


def test_streams_of_one_seed_differ():
    keys = {seeded_key(seed, a, b) for seed in range(3) for a in range(3) for b in range(3)}
    assert len(keys) == 27
