"""PyTorch's own doors lead to the batches of `PackLoader`, with any number of workers."""

from collections import Counter
from copy import deepcopy
from itertools import islice, product
from types import SimpleNamespace

import pytest
from torch.utils.data import DataLoader
from torchdata.stateful_dataloader import StatefulDataLoader

from packkit.base.errors import InputError
from packkit.loading import FILLER, PackDataset, PackSampler, PackStream, collate_packs

PACKS = 23
SIZE = 16
WORKERS = (0, 1, 2, 5)

pytestmark = [
    # torchdata 0.11 calls what torch 2.13 deprecates.
    pytest.mark.filterwarnings("ignore:'set_vital' is deprecated"),
    # Five workers are more than this machine may have processors for.
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),
]


def sampler_of(dataset, **options):
    return PackSampler(dataset, **{"packs_per_step": 4, "rank": 0, "world_size": 1, **options})


def doors(dataset, workers, **options):
    """Each door's loader, and what has to be called with the number of each epoch."""
    stream = PackStream(dataset, sampler_of(dataset, **options))
    sampler = sampler_of(dataset, **options)
    by_number = {"batch_sampler": sampler, "collate_fn": collate_packs, "num_workers": workers}
    by_stream = {"batch_size": None, "num_workers": workers}
    return {
        "map": (DataLoader(dataset, **by_number), sampler),
        "stream": (DataLoader(stream, **by_stream), stream),
        "stateful map": (StatefulDataLoader(dataset, **by_number), sampler),
        "stateful stream": (StatefulDataLoader(stream, **by_stream), stream),
    }


DOORS = ("map", "stream", "stateful map", "stateful stream")


@pytest.fixture(scope="module")
def expected(make_loader, digest):
    """Digests of the batches of two epochs in order, as `PackLoader` makes them."""
    loader = make_loader()
    return [[digest(batch) for batch in loader] for _ in range(2)]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("workers", WORKERS)
def test_every_door_gives_the_same_bits(dataset, digest, expected, door, workers):
    loader, owner = doors(dataset, workers)[door]
    assert len(loader) == 6
    for epoch in range(2):
        owner.set_epoch(epoch)
        assert [digest(batch) for batch in loader] == expected[epoch]


@pytest.mark.parametrize("workers", WORKERS)
def test_a_stream_goes_on_from_a_batch_with_other_workers_and_ranks(dataset, take, workers):
    for stop in (1, 3, 6):
        sampler = sampler_of(dataset)
        loader = DataLoader(PackStream(dataset, sampler), batch_size=None, num_workers=workers)
        batches = take(loader, stop)
        state = batches[-1].state
        others = (2, 0, 1)[stop % 3]
        for rank in range(3):
            sampler = sampler_of(dataset, packs_per_step=5, rank=rank, world_size=3)
            stream = PackStream(dataset, sampler)
            stream.load_state_dict(state)
            if stop < 6:
                batches += DataLoader(stream, batch_size=None, num_workers=others)
        taken = Counter(pack for batch in batches for pack in batch.pack_ids.tolist())
        taken.pop(FILLER, None)
        assert taken == Counter(range(PACKS))


@pytest.mark.parametrize("door", ["stateful map", "stateful stream"])
@pytest.mark.parametrize("workers", WORKERS)
def test_stateful_dataloader_resumes_exactly(dataset, digest, expected, door, workers):
    for stop in (1, 3, 5, 6):
        loader, _ = doors(dataset, workers)[door]
        batches = iter(loader)
        first = [digest(batch) for batch in islice(batches, stop)]
        state = loader.state_dict()
        del batches
        loader, owner = doors(dataset, workers)[door]
        loader.load_state_dict(state)
        second = [digest(batch) for batch in loader]
        assert first + second == expected[0]
        owner.set_epoch(1)
        assert [digest(batch) for batch in loader] == expected[1]


def with_workers(stream, workers=2, kind=DataLoader, **options):
    return kind(stream, batch_size=None, num_workers=workers, **options)


@pytest.mark.parametrize(
    ("kind", "context"),
    [
        (DataLoader, "fork"),
        (StatefulDataLoader, "fork"),
        (DataLoader, "spawn"),
    ],
)
def test_persistent_workers_begin_the_epoch_they_are_told(
    dataset, digest, take, expected, context, kind
):
    stream = PackStream(dataset, sampler_of(dataset))
    options = {"persistent_workers": True, "multiprocessing_context": context}
    loader = with_workers(stream, kind=kind, **options)
    # In any order, again, and after breaks within and beyond what was prefetched.
    for epoch, count in ((1, None), (0, 1), (1, 3), (0, 5), (0, None), (1, 6), (1, None)):
        stream.set_epoch(epoch)
        batches = [digest(batch) for batch in take(loader, count)]
        assert batches == expected[epoch][:count]


def test_persistent_workers_go_on_from_the_batch_they_are_told(dataset, digest, take, expected):
    stream = PackStream(dataset, sampler_of(dataset))
    loader = with_workers(stream, persistent_workers=True)
    for stop in (1, 2, 4, 5):
        stream.set_epoch(0)
        first = take(loader, stop)
        stream.load_state_dict(first[-1].state)
        assert [*map(digest, first), *map(digest, loader)] == expected[0]
        stream.set_epoch(1)
        assert list(map(digest, loader)) == expected[1]


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("count", [2, 5, None])
@pytest.mark.filterwarnings("ignore:the stream begins at epoch 0, step 0, again")
def test_an_iteration_that_nobody_moved_begins_where_the_last_one_did(
    dataset, digest, take, expected, persistent, count
):
    loader = with_workers(PackStream(dataset, sampler_of(dataset)), persistent_workers=persistent)
    assert list(map(digest, take(loader, count))) == expected[0][:count]
    assert list(map(digest, loader)) == expected[0]


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.filterwarnings("error:the stream begins at epoch")
def test_an_iteration_that_nobody_moved_is_warned_of(dataset, take, persistent):
    stream = PackStream(dataset, sampler_of(dataset))
    loader = with_workers(stream, persistent_workers=persistent)
    for epoch in (0, 0, 1):
        stream.set_epoch(epoch)
        take(loader, 2)
    with pytest.raises(UserWarning, match=r"begins at epoch 1, step 0, again: .*set_epoch"):
        list(loader)


def test_a_deep_copy_of_a_stream_reaches_its_own_workers(dataset, digest, expected):
    stream = PackStream(dataset, sampler_of(dataset))
    copy = deepcopy(stream)
    loader = with_workers(copy, persistent_workers=True)
    for epoch in (0, 1, 0):
        copy.set_epoch(epoch)
        stream.set_epoch(1 - epoch)
        assert list(map(digest, loader)) == expected[epoch]


@pytest.mark.parametrize("persistent", [False, True])
def test_stateful_dataloader_saves_every_place_of_any_epoch(
    dataset, digest, take, expected, persistent
):
    stream = PackStream(dataset, sampler_of(dataset))
    loader = with_workers(stream, kind=StatefulDataLoader, persistent_workers=persistent)
    for epoch, stop in ((0, 1), (1, 1), (1, 5)):
        stream.set_epoch(epoch)
        batches = iter(loader)
        first = [digest(batch) for batch in islice(batches, stop)]
        state = loader.state_dict()
        other = PackStream(dataset, sampler_of(dataset))
        resumed = with_workers(other, kind=StatefulDataLoader, persistent_workers=persistent)
        resumed.load_state_dict(state)
        assert first + list(map(digest, resumed)) == expected[epoch]
        other.set_epoch(1 - epoch)
        assert list(map(digest, resumed)) == expected[1 - epoch]


@pytest.fixture
def worker(monkeypatch):
    """Has this process be the first of three workers."""
    info = SimpleNamespace(id=0, num_workers=3)
    monkeypatch.setattr("packkit.loading.stream.get_worker_info", lambda: info)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *product(["made", "workers"], [True, -1, 1.5, "2", [1], 10**20]),
        ("made", None),
        ("workers", 0),
    ],
)
@pytest.mark.usefixtures("worker")
def test_the_state_of_a_worker_holds_whole_numbers(dataset, name, value):
    batches = iter(PackStream(dataset, sampler_of(dataset)))
    before = batches.state_dict()
    with pytest.raises(InputError, match="made and workers must be whole numbers, got "):
        batches.load_state_dict({**before, name: value})
    assert batches.state_dict() == before


@pytest.mark.usefixtures("worker")
def test_the_state_of_a_worker_is_refused_by_other_numbers_of_workers(dataset):
    batches = iter(PackStream(dataset, sampler_of(dataset)))
    with pytest.raises(InputError, match="one of 2 workers, here are 3"):
        batches.load_state_dict({"made": 2, "workers": 2})


@pytest.mark.usefixtures("worker")
def test_a_worker_goes_on_behind_what_it_had_made(dataset):
    stream = PackStream(dataset, sampler_of(dataset))
    steps = [batch.step for batch in stream]
    assert steps == [0, 3]
    batches = iter(PackStream(dataset, sampler_of(dataset)))
    batches.load_state_dict({"made": 1, "workers": 3})
    assert [batch.step for batch in batches] == [3]
    assert batches.state_dict() == {"made": 2, "workers": 3}


def test_ranks_of_a_stream_take_every_pack_once(dataset):
    taken, lengths = Counter(), set()
    for rank in range(3):
        sampler = sampler_of(dataset, packs_per_step=4, rank=rank, world_size=3)
        loader = DataLoader(PackStream(dataset, sampler), batch_size=None, num_workers=2)
        batches = list(loader)
        lengths.add(len(batches))
        taken.update(pack for batch in batches for pack in batch.pack_ids.tolist())
    assert lengths == {6}
    assert taken == Counter({**dict.fromkeys(range(PACKS), 1), FILLER: 1})


@pytest.mark.parametrize("door", ["map", "stream"])
def test_an_error_in_a_worker_names_shard_pack_sample_and_image(tmp_path, write_bad, door):
    dataset = PackDataset(write_bad(tmp_path / "bad"), image_size=SIZE)
    loader, _ = doors(dataset, 2)[door]
    with pytest.raises(Exception, match=r'shard-00000\.jsonl: pack 1: sample "1/bad": image 1: '):
        list(loader)


def test_padding_reaches_the_batches_of_a_stream(dataset):
    stream = PackStream(dataset, sampler_of(dataset), pad_to_multiple_of=64, max_seqlen=2048)
    for batch in DataLoader(stream, batch_size=None):
        assert batch.tokens % 64 == 0
        assert batch.max_seqlen == 2048
