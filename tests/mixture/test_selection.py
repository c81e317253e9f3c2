"""What is chosen depends on seed, source and samples alone; less is a subset of more."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import InputError
from packkit.mixture.quantities import Quantity
from packkit.mixture.selection import ranks_of, take

KEYS = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=60, unique=True)
REPEATED_KEYS = st.lists(st.integers(0, 5), min_size=1, max_size=60)


def chosen(keys, quantity, *, seed=0, source="slake", lengths=None, shortage="error"):
    """The keys of the samples taken, in the order of their rows."""
    keys = np.array(keys, np.uint64)
    lengths = np.ones(len(keys), np.int32) if lengths is None else np.array(lengths, np.int32)
    rows = take(ranks_of(keys, seed, source), lengths, quantity, shortage)
    assert (np.diff(rows) >= 0).all()
    return keys[rows].tolist()


def samples(count):
    return Quantity("samples", count)


@given(KEYS, st.data())
def test_fewer_are_a_subset_of_more(keys, data):
    more = data.draw(st.integers(1, len(keys)))
    fewer = data.draw(st.integers(1, more))
    few, many = chosen(keys, samples(fewer)), chosen(keys, samples(more))
    assert len(few) == fewer and len(many) == more
    assert set(few) <= set(many)


@given(KEYS | REPEATED_KEYS, st.randoms(), st.data())
def test_order_of_samples_does_not_matter(keys, random, data):
    count = data.draw(st.integers(1, len(keys)))
    shuffled = random.sample(keys, len(keys))
    assert sorted(chosen(keys, samples(count))) == sorted(chosen(shuffled, samples(count)))


@given(KEYS, st.data())
def test_samples_added_only_push_others_out(keys, data):
    """Who is chosen among more is chosen among fewer: new shards bring new samples, no new dice."""
    part = keys[: data.draw(st.integers(1, len(keys)))]
    count = data.draw(st.integers(1, len(part)))
    among_all = set(chosen(keys, samples(count)))
    assert among_all & set(part) <= set(chosen(part, samples(count)))


@given(KEYS, st.integers(1, 200))
def test_repeats_differ_by_at_most_one(keys, count):
    counts = Counter(chosen(keys, samples(count), shortage="repeat"))
    assert counts.total() == count
    assert len(counts) == min(count, len(keys))
    assert max(counts.values()) - min(counts.values()) <= 1


@given(KEYS, st.floats(0.1, 4))
def test_repeat_takes_all_so_many_times(keys, times):
    taken = chosen(keys, Quantity("repeat", times))
    assert abs(len(taken) - times * len(keys)) <= 0.5
    counts = [taken.count(key) for key in keys]
    assert set(counts) <= {int(times), int(times) + 1}


@given(KEYS, st.data())
def test_tokens_stay_within_their_budget_and_the_next_sample_would_not(keys, data):
    lengths = data.draw(st.lists(st.integers(1, 50), min_size=len(keys), max_size=len(keys)))
    length_of = dict(zip(keys, lengths, strict=True))
    budget = data.draw(st.integers(1, sum(lengths)))
    taken = chosen(keys, Quantity("tokens", budget), lengths=lengths)
    used = sum(length_of[key] for key in taken)
    assert used <= budget
    if len(taken) < len(keys):
        one_more = chosen(keys, samples(len(taken) + 1), lengths=lengths)
        (added,) = set(one_more) - set(taken)
        assert used + length_of[added] > budget


def test_seeds_and_sources_choose_apart():
    keys = list(range(1000))
    sets = [
        frozenset(chosen(keys, samples(500), seed=seed, source=source))
        for seed in (0, 1)
        for source in ("slake", "vqa-rad")
    ]
    for number, source in enumerate(sets):
        for other in sets[:number]:
            # Of two independent halves of a thousand a half is shared: 250, sd 8.
            assert 200 < len(source & other) < 300


@pytest.mark.parametrize(
    "quantity", [samples(2**31), Quantity("repeat", 2.0**31), Quantity("repeat", 1.7e308)]
)
def test_more_samples_than_memory_holds_are_refused_before_they_are_taken(quantity):
    with pytest.raises(InputError, match="samples to take must be"):
        chosen([1, 2, 3], quantity, shortage="repeat")


def test_shortage_is_an_error_unless_said_otherwise():
    with pytest.raises(InputError, match="4 samples asked for, 3 available after filters"):
        chosen([1, 2, 3], samples(4))
    with pytest.raises(InputError, match="none available"):
        chosen([], samples(4), shortage="repeat")
    assert chosen([1, 2, 3], samples(4), shortage="all") == [1, 2, 3]
    assert len(chosen([1, 2, 3], samples(4), shortage="repeat")) == 4
    with pytest.raises(InputError, match="10 tokens asked for, 6 available"):
        chosen([1, 2, 3], Quantity("tokens", 10), lengths=[1, 2, 3])
    budget = Quantity("tokens", 13)
    assert len(chosen([1, 2, 3], budget, lengths=[1, 2, 3], shortage="repeat")) in (6, 7)


def test_ranks_are_equal_only_where_keys_are():
    keys = np.arange(100_000, dtype=np.uint64)
    assert len(np.unique(ranks_of(keys, 3, "x"))) == len(keys)
    assert len(np.unique(ranks_of(np.zeros(5, np.uint64), 3, "x"))) == 1
