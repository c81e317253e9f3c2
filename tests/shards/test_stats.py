"""Statistics of a set against counting by hand and against simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.shards.stats import group_stats, histogram, single_group_share


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=200), st.integers(1, 20))
def test_histogram_counts_every_value_once(values, bins):
    stats = histogram(np.array(values), bins=bins)
    assert sum(stats.counts) == len(values)
    assert len(stats.counts) <= bins
    for start, stop, count in zip(stats.edges, stats.edges[1:], stats.counts, strict=False):
        assert count == sum(start <= value < stop for value in values)
    assert (stats.minimum, stats.maximum) == (min(values), max(values))


def test_histogram_of_nothing_is_empty():
    assert histogram(np.empty(0, np.int64)).counts == [0]


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=1, max_size=30))
def test_single_group_share_is_the_share_of_packs_of_one_source(packs):
    groups = np.array([group for pack in packs for group in pack], np.int32)
    offsets = np.cumsum([0, *map(len, packs)])
    expected = sum(len(set(pack)) == 1 for pack in packs) / len(packs)
    assert single_group_share(groups, offsets) == pytest.approx(expected)


def test_independent_noise_is_what_independent_draws_have():
    rng = np.random.default_rng(0)
    samples, per_pack, per_step = 400_000, 20, 100
    lengths = rng.integers(100, 400, samples).astype(np.int32)
    groups = rng.choice(3, samples, p=[0.6, 0.3, 0.1]).astype(np.int32)
    offsets = np.arange(0, samples + 1, per_pack)
    stats = group_stats(lengths, groups, ["a", "b", "c"], offsets, packs_per_step=per_step)
    assert [group.name for group in stats] == ["a", "b", "c"]
    for group in stats:
        assert group.noise == pytest.approx(group.independent_noise, rel=0.2)


def test_noise_sees_sources_that_come_one_after_another():
    groups = np.repeat(np.arange(4, dtype=np.int32), 1000)
    lengths = np.full(4000, 7, np.int32)
    stats = group_stats(lengths, groups, list("abcd"), np.arange(0, 4001, 2), packs_per_step=50)
    assert all(group.noise > 5 * group.independent_noise for group in stats)


def test_noise_needs_two_steps():
    lengths, groups = np.ones(10, np.int32), np.zeros(10, np.int32)
    (group,) = group_stats(lengths, groups, ["a"], np.arange(11), packs_per_step=8)
    assert group.noise is None
    assert group.share == 1
