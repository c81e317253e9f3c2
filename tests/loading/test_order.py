"""The order of packs: every pack once a pass, the same from anywhere, shares even throughout."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import InputError
from packkit.loading.order import WINDOW, CachedOrder, EpochOrder, SetPlaces

SHUFFLES = ["global", "shards", "none"]


def make_sets(shards):
    """Sets from the sizes of their shards; ids run on from set to set, every other one left out."""
    sets, first = [], 0
    for sizes in shards:
        packs = first + 2 * np.arange(sum(sizes))
        sets.append(SetPlaces(packs, np.cumsum([0, *sizes])))
        first += 2 * sum(sizes)
    return sets


some_shards = st.lists(st.lists(st.integers(0, 90), min_size=1, max_size=5), min_size=1, max_size=4)


@given(some_shards.filter(lambda shards: sum(map(sum, shards))), st.sampled_from(SHUFFLES))
def test_an_epoch_takes_every_pack_once(shards, shuffle):
    sets = make_sets(shards)
    order = EpochOrder(sets, seed=1, shuffle=shuffle)
    everything = np.concatenate([places.packs for places in sets])
    for epoch in range(2):
        assert sorted(order(epoch, range(order.packs))) == sorted(everything)


@given(some_shards.filter(lambda shards: sum(map(sum, shards))), st.data())
def test_a_place_does_not_depend_on_what_was_asked_before(shards, data):
    shuffle = data.draw(st.sampled_from(SHUFFLES))
    epoch = data.draw(st.integers(0, 5))
    whole = EpochOrder(make_sets(shards), seed=3, shuffle=shuffle)
    everything = whole(epoch, range(whole.packs))
    fresh = EpochOrder(make_sets(shards), seed=3, shuffle=shuffle)
    for place in data.draw(st.lists(st.integers(0, whole.packs - 1), max_size=5)):
        assert fresh(epoch, [place]).tolist() == [everything[place]]


def test_stored_order_is_kept_without_a_shuffle():
    (places,) = make_sets([[3, 4]])
    order = EpochOrder([places], seed=9, shuffle="none")
    assert order(4, range(7)).tolist() == places.packs.tolist()


@pytest.mark.parametrize("shuffle", ["global", "shards"])
def test_seed_and_epoch_change_the_order(shuffle):
    sets = make_sets([[50, 60, 70]])
    orders = {
        tuple(EpochOrder(sets, seed=seed, shuffle=shuffle)(epoch, range(180)).tolist())
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(orders) == 9


def test_shards_are_read_one_after_another():
    sizes = [200, 150, 300, 120, 80]
    (places,) = make_sets([sizes])
    order = EpochOrder([places], seed=5, shuffle="shards")
    shard = np.searchsorted(places.shard_starts, order(0, range(850)) // 2, side="right") - 1
    # In order of place, a shard begins and ends within a window of where it would without mixing.
    firsts = [np.flatnonzero(shard == number) for number in range(5)]
    assert all(places.max() - places.min() < len(places) + 2 * WINDOW for places in firsts)
    assert any(np.diff(order(0, range(WINDOW))) < 0)


@given(
    st.lists(st.tuples(st.integers(1, 60), st.floats(0.05, 20)), min_size=1, max_size=4),
    st.sampled_from(SHUFFLES),
)
def test_shares_hold_at_every_place_and_no_pack_lags_behind(sets_and_shares, shuffle):
    sizes, shares = zip(*sets_and_shares, strict=True)
    sets = make_sets([[size] for size in sizes])
    try:
        order = EpochOrder(sets, seed=2, shuffle=shuffle, shares=shares)
    except InputError:
        # So small a share of so small a set that not one pack is due.
        return
    assert all(taken <= size for taken, size in zip(order.packs_of_set, sizes, strict=True))
    ends = np.cumsum([0, *(2 * size for size in sizes)])
    counts = np.zeros(ends[-1], int)
    for epoch in range(4):
        packs = order(epoch, range(order.packs))
        owner = np.searchsorted(ends, packs, side="right") - 1
        for number, taken in enumerate(order.packs_of_set):
            so_far = np.cumsum(owner == number)
            due = np.arange(1, order.packs + 1) * taken / order.packs
            assert so_far[-1] == taken
            assert np.abs(so_far - due).max() <= len(sizes)
        np.add.at(counts, packs, 1)
        for places in sets:
            assert np.ptp(counts[places.packs]) <= 1


def test_an_epoch_of_shares_is_as_long_as_its_scarcest_set_allows():
    order = EpochOrder(make_sets([[30], [1000]]), seed=0, shuffle="global", shares=[1, 3])
    assert order.packs_of_set == [30, 90]


@pytest.mark.parametrize("shares", [[1], [1, 0], [1, -2], [1, float("nan")], [1, float("inf")]])
def test_shares_that_make_no_sense_are_refused(shares):
    with pytest.raises(InputError, match="shares must be 2 positive numbers"):
        EpochOrder(make_sets([[3], [4]]), seed=0, shuffle="global", shares=shares)


def test_an_epoch_without_packs_is_refused():
    with pytest.raises(InputError, match="at least one pack"):
        EpochOrder(make_sets([[0]]), seed=0, shuffle="global")


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 700), st.integers(0, 300)), max_size=9))
def test_a_cached_order_is_the_order_however_it_is_asked(asked):
    order = EpochOrder(make_sets([[200, 150], [350]]), seed=2, shuffle="global")
    cached = CachedOrder(order)
    for epoch, first, count in asked:
        places = range(first, min(first + count, order.packs))
        assert cached.packs_at(epoch, places) == order(epoch, places).tolist()
