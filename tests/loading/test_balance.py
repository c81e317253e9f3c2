"""Dealing packs to ranks: the same packs, nearly equal costs."""

from itertools import combinations, pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit.loading.balance import deal_evenly


@st.composite
def steps(draw):
    ranks = draw(st.integers(1, 8))
    packs = draw(st.integers(ranks, 24))
    edges = [packs * rank // ranks for rank in range(ranks + 1)]
    costs = draw(
        st.lists(
            st.tuples(st.integers(0, 30), st.integers(0, 10**7)), min_size=packs, max_size=packs
        )
    )
    return np.array(costs, np.int64), np.diff(edges).tolist()


def loads(costs, dealt):
    return np.array([costs[places].sum(axis=0) for places in dealt])


def unevenness(costs, dealt):
    """Sum over ranks of squared loads, each kind of cost in shares of its sum."""
    shares = loads(costs, dealt) / np.maximum(costs.sum(axis=0), 1)
    return (shares**2).sum()


@given(steps())
def test_every_pack_is_dealt_once_and_ranks_keep_their_number(step):
    costs, sizes = step
    dealt = deal_evenly(costs, sizes)
    assert sorted(np.concatenate(dealt).tolist()) == list(range(len(costs)))
    assert list(map(len, dealt)) == sizes
    assert all(places.tolist() == sorted(places.tolist()) for places in dealt)
    again = deal_evenly(costs, sizes)
    assert all((first == second).all() for first, second in zip(dealt, again, strict=True))


def naive(costs, sizes):
    """The same rules, pack by pack in Python's own whole numbers; returns each rank's packs."""
    sums = [max(sum(kind), 1) for kind in zip(*costs, strict=True)]
    shares = [
        [round(c / total * 2**24) for c, total in zip(pack, sums, strict=True)] for pack in costs
    ]

    def load(packs):
        return [sum(kind) for kind in zip(*(shares[pack] for pack in packs), strict=True)] or [0]

    def square(packs):
        return sum(kind**2 for kind in load(packs))

    ranks = [[] for _ in sizes]
    for pack in sorted(range(len(costs)), key=lambda pack: -max(shares[pack])):
        room = [rank for rank in range(len(sizes)) if len(ranks[rank]) < sizes[rank]]
        best = min(room, key=lambda rank: square([*ranks[rank], pack]) - square(ranks[rank]))
        ranks[best].append(pack)
    while exchanged := best_exchange(ranks, square):
        ranks = exchanged
    edges = np.cumsum([0, *sizes]).tolist()
    slices = [list(range(*edge)) for edge in pairwise(edges)]
    return min(ranks, slices, key=lambda deal: sum(map(square, deal)))


def best_exchange(ranks, square):
    """Returns the deal after the best exchange with the most loaded rank that has one, or None."""
    squares = list(map(square, ranks))
    for rank in sorted(range(len(ranks)), key=lambda rank: -squares[rank]):
        theirs = sorted((pack, other) for other in range(len(ranks)) for pack in ranks[other])
        deals = []
        for ours, (their, other) in product(sorted(ranks[rank]), theirs):
            if other != rank:
                new, old = swap(ranks[rank], ours, their), swap(ranks[other], their, ours)
                change = square(new) + square(old) - squares[rank] - squares[other]
                deals.append((change, len(deals), {rank: new, other: old}))
        if deals and min(deals)[0] < 0:
            changed = min(deals)[2]
            return [changed.get(number, packs) for number, packs in enumerate(ranks)]
    return None


def swap(packs, out, into):
    return [into if pack == out else pack for pack in packs]


@settings(deadline=None, max_examples=60)
@given(steps())
def test_every_rank_comes_to_the_deal_of_whole_numbers(step):
    costs, sizes = step
    expected = [sorted(packs) for packs in naive(costs.tolist(), sizes)]
    assert [places.tolist() for places in deal_evenly(costs, sizes)] == expected


def contiguous(sizes):
    return np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])


@given(steps())
def test_a_deal_is_never_less_even_than_slices_in_order(step):
    costs, sizes = step
    # Shares are rounded to whole numbers of 2^-24.
    assert unevenness(costs, deal_evenly(costs, sizes)) <= (
        unevenness(costs, contiguous(sizes)) * (1 + 1e-5) + 1e-12
    )


def test_where_exchanges_end_in_a_worse_deal_slices_are_taken():
    costs = np.array([[29, 86], [18, 16], [210, 18], [12, 24], [9, 19]])
    assert unevenness(costs, deal_evenly(costs, [2, 3])) <= unevenness(costs, contiguous([2, 3]))


def all_deals(packs, sizes):
    """Every way to deal packs to ranks."""
    if not sizes:
        yield []
        return
    for chosen in combinations(packs, sizes[0]):
        rest = [pack for pack in packs if pack not in chosen]
        for deal in all_deals(rest, sizes[1:]):
            yield [np.array(chosen), *deal]


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 3), st.integers(3, 8), st.data())
def test_a_deal_comes_close_to_the_best_of_all(ranks, packs, data):
    cost = st.tuples(st.integers(0, 30), st.integers(0, 100))
    costs = np.array(data.draw(st.lists(cost, min_size=packs, max_size=packs)), np.int64)
    sizes = np.diff([packs * rank // ranks for rank in range(ranks + 1)]).tolist()
    best = min(unevenness(costs, deal) for deal in all_deals(range(packs), sizes))
    # Of 3,000 random steps the worst came to 1.08 of the best, on average to 1.0005; a search for
    # bad ones over 280,000 found 1.27: one that no exchange of two packs mends.
    assert unevenness(costs, deal_evenly(costs, sizes)) <= best * 4 / 3 + 1e-9


def realistic_step(rng, packs):
    """Captions with 20 to 28 images a pack, interleaved documents with 0 to 28, texts with none."""
    kinds = rng.choice(3, packs, p=[0.5, 0.3, 0.2])
    images = np.choose(
        kinds, [rng.integers(20, 29, packs), rng.integers(0, 29, packs), np.zeros(packs, int)]
    )
    squares = []
    for count in images:
        lengths = rng.lognormal(5.0 if count else 6.5, 0.8, 40).clip(16, 4096)
        lengths = lengths[np.cumsum(lengths) <= 4096]
        squares.append(int((lengths**2).sum()))
    return np.stack([images, squares], axis=1).astype(np.int64)


def test_ranks_of_a_realistic_step_wait_for_one_another_far_less():
    rng = np.random.default_rng(0)
    spreads = []
    for _ in range(20):
        costs = realistic_step(rng, 64)
        spreads.append(
            [
                np.ptp(loads(costs, dealt), axis=0) / loads(costs, dealt).mean(axis=0)
                for dealt in (contiguous([8] * 8), deal_evenly(costs, [8] * 8))
            ]
        )
    before, after = np.mean(spreads, axis=0)
    # Between the extreme ranks images differ by 63 % of their mean and attention by 81 %; dealt
    # evenly by 1.6 % and 12 %. (Here and there one pack costs more attention than a mean rank.)
    assert (before > [0.5, 0.7]).all()
    assert (after < [0.03, 0.15]).all()


@pytest.mark.parametrize(("packs", "ranks"), [(5, 1), (5, 5), (8, 3)])
def test_packs_without_cost_are_dealt_too(packs, ranks):
    edges = [packs * rank // ranks for rank in range(ranks + 1)]
    dealt = deal_evenly(np.zeros((packs, 2), np.int64), np.diff(edges).tolist())
    assert sorted(np.concatenate(dealt).tolist()) == list(range(packs))
