"""Patterns are the best that the samples left allow, and use every sample once."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit_kernels.fill import place_exact_fill


def patterns_of(placements):
    """[(times, {group: copies}), ...]; checks that bins and slots follow one another."""
    patterns = []
    expected_bin = 0
    for group, first, bins, copies, slot in placements.tolist():
        if slot == 0:
            assert first == expected_bin
            expected_bin += bins
            patterns.append((bins, {}))
        times, pattern = patterns[-1]
        assert (times, sum(pattern.values())) == (bins, slot)
        assert group not in pattern
        pattern[group] = copies
    return patterns


def naive_patterns(lengths, counts, capacity):
    """The best pattern by trying every multiset, over and over."""
    left = list(counts)
    patterns = []
    while any(left):
        longest = next(group for group, count in enumerate(left) if count)
        # Most of the longer lengths first: max() keeps the first of equal sums.
        multisets = product(*(range(count, -1, -1) for count in left))
        best = max(
            (copies for copies in multisets if copies[longest]),
            key=lambda copies: (total := np.dot(copies, lengths)) * (total <= capacity),
        )
        pattern = {group: copies for group, copies in enumerate(best) if copies}
        times = min(left[group] // copies for group, copies in pattern.items())
        for group, copies in pattern.items():
            left[group] -= times * copies
        patterns.append((times, pattern))
    return patterns


@st.composite
def problems(draw):
    # Sums stand in words of 64 bits: capacities on both sides of a word's end.
    capacity = draw(st.one_of(st.integers(1, 30), st.integers(60, 68), st.integers(126, 130)))
    lengths = draw(st.lists(st.integers(1, capacity), unique=True, max_size=5))
    counts = draw(st.lists(st.integers(1, 4), min_size=len(lengths), max_size=len(lengths)))
    return sorted(lengths, reverse=True), counts, capacity


@given(problems())
@settings(max_examples=300, deadline=None)
def test_patterns_are_the_best_of_all_multisets(problem):
    lengths, counts, capacity = problem
    placements = place_exact_fill(np.array(lengths, int), np.array(counts, int), capacity)
    assert patterns_of(placements) == naive_patterns(lengths, counts, capacity)


@pytest.mark.parametrize("capacity", [1000, 4096, 20_000])
@pytest.mark.parametrize("most", [1, 3, 10**9])
def test_every_sample_is_used_once_and_no_bin_is_over_capacity(capacity, most):
    rng = np.random.default_rng(most)
    lengths = np.sort(rng.choice(np.arange(1, capacity + 1), 700, replace=False))[::-1].copy()
    counts = rng.integers(1, most + 1, 700)
    patterns = patterns_of(place_exact_fill(lengths, counts, capacity))
    used = np.zeros(700, int)
    for times, pattern in patterns:
        assert times >= 1
        assert sum(lengths[group] * copies for group, copies in pattern.items()) <= capacity
        for group, copies in pattern.items():
            used[group] += times * copies
    assert used.tolist() == counts.tolist()


def test_counts_bound_a_pattern():
    # Four of 25 would fill a bin, but there are only three, and the pattern must know.
    lengths, counts = np.array([50, 25, 24]), np.array([1, 3, 2])
    patterns = patterns_of(place_exact_fill(lengths, counts, 100))
    assert patterns == [(1, {0: 1, 1: 2}), (1, {1: 1, 2: 2})]
