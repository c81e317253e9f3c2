"""Steps and ranks: nothing lost, nothing twice, equal steps, over every change of topology."""

from collections import Counter
from itertools import product

import numpy as np
import pytest
import torch.distributed
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit.base.errors import FingerprintError, InputError
from packkit.loading import FILLER, PackDataset, PackLoader, PackSampler, PackStream

PACKS = 23
WORLDS = (1, 2, 3, 4, 8)


def ranks_of(dataset, world_size, **options):
    return [
        PackSampler(dataset, rank=rank, world_size=world_size, **options)
        for rank in range(world_size)
    ]


def run(samplers, steps=None):
    """Takes steps of an epoch on all ranks; returns the packs of each step, all ranks together."""
    taken = []
    iterators = [iter(sampler) for sampler in samplers]
    assert len({len(sampler) for sampler in samplers}) == 1
    count = len(samplers[0]) if steps is None else steps
    for _ in range(count):
        taken.append([next(iterator) for iterator in iterators])
    if steps is None:
        assert all(next(iterator, None) is None for iterator in iterators)
    return taken


def flat(steps):
    return [pack for step in steps for rank in step for pack in rank]


@pytest.mark.parametrize("tail", ["fill", "drop"])
@pytest.mark.parametrize("world_size", WORLDS)
def test_an_epoch_takes_every_pack_once_on_equal_steps(dataset, world_size, tail):
    for packs_per_step in (world_size, world_size + 1, 2 * world_size + 1, 11):
        options = {"packs_per_step": packs_per_step, "tail": tail}
        samplers = ranks_of(dataset, world_size, **options)
        known = len(samplers[0])
        steps = run(samplers)
        assert len(steps) == known
        counts = Counter(flat(steps))
        fillers = counts.pop(FILLER, 0)
        assert set(counts.values()) == {1}
        if tail == "fill":
            assert len(counts) == PACKS
            assert fillers == known * packs_per_step - PACKS
        else:
            assert fillers == 0
            assert len(counts) == PACKS - PACKS % packs_per_step
        sizes = {len(rank) for step in steps for rank in step}
        assert max(sizes) - min(sizes) <= 1


MATRIX = list(product(WORLDS, WORLDS, ("first", "middle", "last", "edge")))


@pytest.mark.parametrize(("before", "after", "stop"), MATRIX)
def test_a_resume_on_other_ranks_and_steps_loses_and_repeats_nothing(dataset, before, after, stop):
    for first_size, second_size in ((before, after + 2), (before + 3, after), (9, 10)):
        first = ranks_of(dataset, before, packs_per_step=first_size)
        steps = {"first": 1, "middle": len(first[0]) // 2, "last": len(first[0]) - 1}
        taken = flat(run(first, steps.get(stop, len(first[0]))))
        states = [sampler.state_dict() for sampler in first]
        assert all(state == states[0] for state in states)
        second = ranks_of(dataset, after, packs_per_step=second_size)
        for sampler in second:
            sampler.load_state_dict(states[0])
        # After the last step of an epoch it is over.
        if stop == "edge":
            assert {sampler.cursor for sampler in second} == {(1, 0, 0)}
        else:
            taken += flat(run(second))
        counts = Counter(pack for pack in taken if pack != FILLER)
        assert counts == Counter(range(PACKS))
        # The next epoch is whole again, and the same as for who never stopped.
        unbroken = ranks_of(dataset, after, packs_per_step=second_size)
        run(unbroken)
        assert run(second) == run(unbroken)


stretches = st.tuples(st.integers(1, 8), st.integers(0, 12), st.integers(0, 10))


@given(st.lists(stretches, max_size=8), st.sampled_from(["global", "shards", "none"]))
@settings(deadline=None)
def test_any_history_of_stops_takes_every_pack_once_an_epoch(dataset, history, shuffle):
    state, taken = None, Counter()
    # The last stretch is long enough for all that is left of its epoch.
    for world_size, more, wanted in [*history, (2, 3, PACKS)]:
        options = {"packs_per_step": world_size + more, "shuffle": shuffle}
        samplers = ranks_of(dataset, world_size, **options)
        if state is not None:
            for sampler in samplers:
                sampler.load_state_dict(state)
        steps = run(samplers, min(wanted, len(samplers[0])))
        taken.update(pack for pack in flat(steps) if pack != FILLER)
        state = samplers[0].state_dict()
    assert state["position"] == 0
    assert taken == Counter(dict.fromkeys(range(PACKS), state["epoch"]))


@pytest.mark.parametrize("balance", [False, True])
@pytest.mark.parametrize("tail", ["fill", "drop"])
def test_all_ranks_in_turn_are_those_of_each_rank(dataset, balance, tail):
    options = {"packs_per_step": 7, "balance": balance, "tail": tail, "world_size": 3}
    steps = run(ranks_of(dataset, **options))
    sampler = PackSampler(dataset, rank="all", **options)
    # As accelerate asks a batch sampler that it deals out.
    assert getattr(sampler, "batch_size", None) is None
    assert len(sampler) == 3 * len(steps)
    iterator = iter(sampler)
    for step in steps:
        before = sampler.cursor
        assert [next(iterator), next(iterator)] == step[:2]
        # A step counts once every rank has its packs: a state never cuts it.
        assert sampler.cursor == before
        assert next(iterator) == step[2]
        assert sampler.cursor.step == (0 if step is steps[-1] else before.step + 1)
    assert next(iterator, None) is None
    assert sampler.cursor == (1, 0, 0)


def test_all_ranks_are_for_who_deals_them_out(packs, dataset):
    sampler = PackSampler(dataset, packs_per_step=4, rank="all", world_size=2)
    with pytest.raises(InputError, match=r"pass the DataLoader through accelerator\.prepare"):
        next(iter(sampler))
    with pytest.raises(InputError, match='"all" is for PackSampler alone'):
        PackLoader(packs, packs_per_step=4, rank="all", world_size=2)
    with pytest.raises(InputError, match='"all" is for PackSampler alone'):
        next(iter(PackStream(dataset, sampler)))
    # One process takes them all.
    alone = PackSampler(dataset, packs_per_step=4, rank="all")
    assert list(alone) == list(PackSampler(dataset, packs_per_step=4))


@pytest.mark.parametrize("balance", [False, True])
def test_balancing_changes_no_step_and_no_number_of_packs(dataset, balance):
    plain = run(ranks_of(dataset, 3, packs_per_step=7))
    dealt = run(ranks_of(dataset, 3, packs_per_step=7, balance=balance))
    for plain_step, dealt_step in zip(plain, dealt, strict=True):
        assert sorted(flat([plain_step])) == sorted(flat([dealt_step]))
        assert list(map(len, plain_step)) == list(map(len, dealt_step))


def test_balancing_evens_out_images_and_attention(dataset):
    def spread(balance):
        costs = [
            [dataset.sets.costs(rank).sum(axis=0) for rank in step]
            for step in run(ranks_of(dataset, 2, packs_per_step=8, balance=balance))
        ]
        return np.mean([np.ptp(step, axis=0) / np.mean(step, axis=0) for step in costs], axis=0)

    assert (spread(True) < spread(False)).all()


@pytest.mark.parametrize("balance", [False, True])
@pytest.mark.parametrize("block", [1, 3, 7, 23])
def test_steps_are_those_of_the_order_however_it_is_cut(dataset, monkeypatch, block, balance):
    whole = run(ranks_of(dataset, 3, packs_per_step=8, balance=balance))
    monkeypatch.setattr("packkit.loading.order._BLOCK", block)
    samplers = ranks_of(dataset, 3, packs_per_step=8, balance=balance)
    assert run(samplers) == whole
    for epoch in (1, 2):
        packs = [pack for pack in flat(run(samplers)) if pack != FILLER]
        order = samplers[0].order(epoch, range(PACKS)).tolist()
        assert sorted(packs) == sorted(order) if balance else packs == order


def test_iterating_goes_on_where_it_was_left(dataset):
    (whole,) = ranks_of(dataset, 1, packs_per_step=3)
    (parts,) = ranks_of(dataset, 1, packs_per_step=3)
    expected = list(whole)
    first = iter(parts)
    taken = [next(first), next(first)]
    assert len(parts) == len(expected)
    taken += list(parts)
    assert taken == expected
    assert parts.cursor == (1, 0, 0)
    assert next(iter(parts)) != expected[0]
    assert (parts.epoch, parts.position) == (1, 3)


def test_set_epoch_goes_to_another_epoch_and_stays_inside_its_own(dataset):
    (sampler,) = ranks_of(dataset, 1, packs_per_step=3)
    next(iter(sampler))
    sampler.set_epoch(0)
    assert sampler.position == 3
    sampler.set_epoch(2)
    assert (sampler.epoch, sampler.position, len(sampler)) == (2, 0, 8)
    for epoch in (-1, 2**31, True, 1.0, None, "1"):
        with pytest.raises(InputError, match="epoch must stand in"):
            sampler.set_epoch(epoch)
    sampler.set_epoch(np.int64(2**31 - 1))
    assert sorted(flat([list(sampler)])) == [*range(-1, PACKS)]


def test_splits_are_apart_and_the_same_for_every_seed(dataset):
    def packs(split, seed):
        (sampler,) = ranks_of(
            dataset, 1, packs_per_step=1, seed=seed, split=split, validation_fraction=0.3
        )
        return set(flat(run([sampler])))

    train, validation = packs("train", 0), packs("validation", 0)
    assert train | validation == set(range(PACKS))
    assert not train & validation
    assert validation == packs("validation", 7)


def test_several_sets_are_gone_through_together(packs, write_packs, tmp_path):
    other = write_packs(tmp_path / "other", range(100, 109))
    both = PackDataset([packs, other])
    assert Counter(flat(run(ranks_of(both, 2, packs_per_step=5)))) - Counter(
        {FILLER: 99}
    ) == Counter(range(PACKS + 9))
    (shared,) = ranks_of(both, 1, packs_per_step=1, shares=[1, 1])
    taken = flat(run([shared]))
    assert sum(pack < PACKS for pack in taken) == sum(pack >= PACKS for pack in taken) == 9


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"seed": 1}, "seed is 0 in the state, 1 here"),
        ({"shuffle": "none"}, "shuffle is 'global' in the state, 'none' here"),
        ({"validation_fraction": 0.5}, "validation_fraction is 0.0 in the state, 0.5 here"),
    ],
)
def test_a_state_of_another_order_is_refused_with_what_differs(dataset, change, name):
    (saved,) = ranks_of(dataset, 1, packs_per_step=2)
    (other,) = ranks_of(dataset, 1, packs_per_step=2, **change)
    with pytest.raises(FingerprintError, match="saved with another loader") as error:
        other.load_state_dict(saved.state_dict())
    assert error.value.differences == (name,)


def test_a_state_that_is_not_whole_is_refused(dataset):
    (sampler,) = ranks_of(dataset, 1, packs_per_step=2)
    state = sampler.state_dict()
    del state["position"]
    with pytest.raises(InputError, match="state must hold position"):
        sampler.load_state_dict(state)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"version": 99}, "version 1, got 99"),
        ({"position": -1}, "must stand in"),
        ({"position": PACKS + 1}, "must stand in"),
        ({"epoch": -1}, "must stand in"),
        ({"epoch": 10**20}, "epoch must stand in"),
        ({"position": 1.5}, "position must stand in"),
        ({"position": None}, "position must stand in"),
        ({"fingerprint": None}, "fingerprint must be a mapping"),
    ],
)
def test_a_state_that_makes_no_sense_is_refused(dataset, state, message):
    (sampler,) = ranks_of(dataset, 1, packs_per_step=2)
    with pytest.raises(InputError, match=message):
        sampler.load_state_dict({**sampler.state_dict(), **state})


def test_ranks_started_by_torchrun_are_not_overlooked(dataset, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(InputError, match=r"WORLD_SIZE says 4 .* initialize torch\.distr"):
        PackSampler(dataset, packs_per_step=4)
    assert PackSampler(dataset, packs_per_step=4, rank=1, world_size=4).rank == 1


def test_rank_and_world_size_are_those_of_torch_distributed(dataset, tmp_path):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1
    )
    try:
        sampler = PackSampler(dataset, packs_per_step=4)
    finally:
        torch.distributed.destroy_process_group()
    assert (sampler.rank, sampler.world_size) == (0, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"packs_per_step": 2, "world_size": 3, "rank": 0}, "at least world_size 3, got 2"),
        ({"packs_per_step": 4, "world_size": 2, "rank": 2}, "rank must be in 0..world_size-1"),
        ({"packs_per_step": 4, "world_size": 2, "rank": True}, "rank must be in 0..world_size-1"),
        ({"packs_per_step": 4, "world_size": 2, "rank": "any"}, "rank must be in 0..world_size-1"),
        ({"packs_per_step": 4, "rank": 1}, "rank and world_size go together"),
        ({"packs_per_step": 24, "tail": "drop"}, "at most the 23 packs"),
        ({"packs_per_step": 4, "tail": "pad"}, "tail must be one of drop, fill, got 'pad'"),
        ({"packs_per_step": 4, "shuffle": "yes"}, "shuffle must be one of global, shards, none"),
        ({"packs_per_step": 4, "split": "test"}, "split must be one of train, validation"),
        ({"packs_per_step": 4, "validation_fraction": 1.0}, r"must be in \[0, 1\), got 1.0"),
    ],
)
def test_options_that_make_no_sense_are_refused(dataset, options, message):
    with pytest.raises(InputError, match=message):
        PackSampler(dataset, **options)
