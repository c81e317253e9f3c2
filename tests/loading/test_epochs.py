"""An epoch is over when its last batch is handed out, by every door and every way to stop."""

from collections import Counter
from itertools import islice

import pytest
from epoch_schedules import Model, SetEpoch, Take, Trainer, schedules, schedules_that_jump, ways
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from packkit.base.errors import InputError
from packkit.loading import FILLER, PackDataset, PackLoader, PackSampler, PackStream, collate_packs

PACKS = 23
SIZE = 16
# Workers are processes, and each iteration starts them anew.
QUICK, SLOW = 100, 20

pytestmark = [
    # torchdata 0.11 calls what torch 2.13 deprecates.
    pytest.mark.filterwarnings("ignore:'set_vital' is deprecated"),
    # torch holds what len said once, inside an epoch, against all epochs.
    pytest.mark.filterwarnings("ignore:Length of IterableDataset"),
]

topologies = st.tuples(st.sampled_from([1, 2, 3]), st.sampled_from([3, 4, 9]))


@pytest.fixture(scope="module")
def expected(make_loader, digest):
    """Digests of the batches that an unbroken `PackLoader` makes, made when they are asked for."""
    made = {}

    def of(options, epoch, step):
        key = (*options.values(), epoch)
        if key not in made:
            loader = make_loader(**options)
            loader.set_epoch(epoch)
            made[key] = [digest(batch) for batch in loader]
        return made[key][step]

    return of


def follow(schedule, trainer, model):
    """Carries a schedule out; returns the batches, and where the model says they must come from."""
    batches, places = [], []
    # The last action takes what is left, so that every epoch begun is finished.
    for action in [*schedule, Take("for", None)]:
        if isinstance(action, Take):
            batches += trainer.take(action)
            places += model.take(action.count)
        elif isinstance(action, SetEpoch):
            trainer.set_epoch(action.epoch)
            model.set_epoch(action.epoch)
        else:
            trainer.reload()
    return batches, places


def check(schedule, way, topology, packs, dataset, digest, expected):
    """Follows a schedule on all ranks; returns how often each epoch took each pack."""
    world_size, packs_per_step = topology
    taken = Counter()
    for rank in range(world_size):
        options = {"packs_per_step": packs_per_step, "rank": rank, "world_size": world_size}
        model = Model(-(-PACKS // packs_per_step))
        batches, places = follow(schedule, Trainer(packs, dataset, way, options), model)
        assert [(batch.epoch, batch.step) for batch in batches] == places
        for batch, place in zip(batches, places, strict=True):
            assert digest(batch) == expected(options, *place)
            assert batch.position == batch.step * packs_per_step
            taken.update((batch.epoch, pack) for pack in batch.pack_ids.tolist() if pack != FILLER)
    return taken, model


def check_each_once(schedule, way, topology, **fixtures):
    taken, model = check(schedule, way, topology, **fixtures)
    assert taken == Counter((epoch, pack) for epoch in range(model.epoch) for pack in range(PACKS))


@given(schedules, st.sampled_from(ways(0)), topologies)
@settings(deadline=None, max_examples=QUICK)
def test_any_way_to_stop_takes_each_pack_once_an_epoch(
    packs, dataset, digest, expected, schedule, way, topology
):
    check_each_once(
        schedule, way, topology, packs=packs, dataset=dataset, digest=digest, expected=expected
    )


@given(schedules_that_jump, st.sampled_from(ways(0)), topologies)
@settings(deadline=None, max_examples=QUICK)
def test_any_way_to_stop_and_jump_gives_the_batches_of_a_pack_loader(
    packs, dataset, digest, expected, schedule, way, topology
):
    check(schedule, way, topology, packs, dataset, digest, expected)


@given(schedules, st.sampled_from(ways(2)), topologies)
@settings(deadline=None, max_examples=SLOW)
def test_workers_take_each_pack_once_an_epoch(
    packs, dataset, digest, expected, schedule, way, topology
):
    check_each_once(
        schedule, way, topology, packs=packs, dataset=dataset, digest=digest, expected=expected
    )


@pytest.mark.proof
@given(schedules_that_jump, st.sampled_from(ways(2)), topologies)
@settings(deadline=None, max_examples=300)
def test_three_hundred_schedules_with_workers(
    packs, dataset, digest, expected, schedule, way, topology
):
    check(schedule, way, topology, packs, dataset, digest, expected)


def by_sampler(dataset, workers=0, **options):
    sampler = PackSampler(dataset, packs_per_step=4, rank=0, world_size=1)
    loader = DataLoader(
        dataset, batch_sampler=sampler, collate_fn=collate_packs, num_workers=workers, **options
    )
    return loader, sampler


@pytest.mark.parametrize("persistent", [False, True])
def test_workers_need_no_word_between_epochs_taken_in_full(dataset, persistent):
    loader, _ = by_sampler(dataset, 2, persistent_workers=persistent)
    epochs = [list(islice(loader, len(loader))) for _ in range(3)]
    places = [[(batch.epoch, batch.step) for batch in batches] for batches in epochs]
    assert places == [[(epoch, step) for step in range(6)] for epoch in range(3)]


@pytest.mark.filterwarnings("error:the sampler goes on at")
def test_packs_lost_to_workers_that_were_ahead_are_warned_of(packs):
    dataset = PackDataset(packs, image_size=SIZE)
    loader, sampler = by_sampler(dataset, 2)
    last = list(islice(loader, 1))[-1]
    with pytest.raises(UserWarning, match=r"goes on at epoch 0, step [2-5], .*load the state"):
        next(iter(loader))
    sampler.load_state_dict(last.state)
    assert [batch.step for batch in loader] == [1, 2, 3, 4, 5]
    # Without workers nobody is ahead.
    loader, _ = by_sampler(dataset)
    assert [batch.step for batch in [*islice(loader, 2), *loader]] == [*range(6)]


def loaders(packs, dataset):
    """Whatever can be iterated, beside what moves it."""
    loader = PackLoader(packs, packs_per_step=4, threads=2, image_size=SIZE)
    sampler = PackSampler(dataset, packs_per_step=4)
    stream = PackStream(dataset, PackSampler(dataset, packs_per_step=4))
    mapped, mover = by_sampler(dataset)
    streamed = PackStream(dataset, PackSampler(dataset, packs_per_step=4))
    return {
        "loader": (loader, loader),
        "sampler": (sampler, sampler),
        "stream": (stream, stream),
        "map": (mapped, mover),
        "streamed": (DataLoader(streamed, batch_size=None), streamed),
    }


KINDS = ("loader", "sampler", "stream", "map", "streamed")
MOVES = {
    "another iteration": lambda loader, mover, state: next(iter(loader)),
    "set_epoch": lambda loader, mover, state: mover.set_epoch(1),
    "load_state_dict": lambda loader, mover, state: mover.load_state_dict(state),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("move", MOVES)
def test_an_iteration_behind_a_cursor_that_moved_is_an_error(packs, dataset, kind, move):
    loader, mover = loaders(packs, dataset)[kind]
    state = mover.state_dict()
    batches = iter(loader)
    next(batches)
    MOVES[move](loader, mover, state)
    place = mover.state_dict()
    with pytest.raises(InputError, match="an iteration stands at epoch 0, step 1, its sampler at"):
        next(batches)
    assert mover.state_dict() == place


@pytest.mark.parametrize("kind", KINDS)
def test_an_iteration_that_gave_all_ends_wherever_the_cursor_went(packs, dataset, kind):
    loader, mover = loaders(packs, dataset)[kind]
    batches = iter(loader)
    taken = list(islice(batches, 6))
    mover.set_epoch(3)
    assert next(batches, None) is None
    assert len(taken) == 6 and len(list(loader)) == 6


@pytest.mark.parametrize("kind", KINDS)
def test_setting_the_epoch_that_is_under_way_moves_nothing(packs, dataset, kind):
    loader, mover = loaders(packs, dataset)[kind]
    batches = iter(loader)
    next(batches)
    mover.set_epoch(0)
    assert len(list(batches)) == 5
