"""A ledger of batches from any door: it proves what was taken, and says which steps are missing."""

from itertools import islice

import pytest
from torch.utils.data import DataLoader

from packkit import check_ledger
from packkit.base.errors import InputError
from packkit.loading import BatchLedger, PackLoader, PackSampler, PackStream, collate_packs

PACKS = 23
SIZE = 16


def loader_of(door, dataset, workers=0, **options):
    sampler = PackSampler(dataset, **{"packs_per_step": 4, **options})
    if door == "map":
        loader = DataLoader(
            dataset, batch_sampler=sampler, collate_fn=collate_packs, num_workers=workers
        )
        return loader, sampler, sampler
    stream = PackStream(dataset, sampler)
    return DataLoader(stream, batch_size=None, num_workers=workers), sampler, stream


@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("door", ["map", "stream"])
def test_plain_loops_are_proven_like_a_pack_loader(
    packs, dataset, tmp_path, door, workers, world_size
):
    for rank in range(world_size):
        ranks = {"rank": rank, "world_size": world_size}
        loader, sampler, mover = loader_of(door, dataset, workers, **ranks)
        ledger = BatchLedger(tmp_path / "ledger", sampler)
        for epoch in range(3):
            mover.set_epoch(epoch)
            for batch in islice(loader, len(loader)):
                ledger.note(batch)
            ledger.on_epoch_end()
        own = PackLoader(packs, packs_per_step=4, image_size=SIZE, ledger=tmp_path / "own", **ranks)
        for _ in range(3):
            list(own)
    report = check_ledger(tmp_path / "ledger", [packs])
    assert report.problems == []
    assert [(epoch.packs, epoch.steps) for epoch in report.epochs] == [(PACKS, 6)] * 3
    for rank in range(world_size):
        name = f"rank-0000{rank}.jsonl"
        assert (tmp_path / "ledger" / name).read_bytes() == (tmp_path / "own" / name).read_bytes()


def test_a_run_that_goes_on_with_other_steps_is_proven(packs, dataset, tmp_path):
    first, sampler, _ = loader_of("map", dataset)
    ledger = BatchLedger(tmp_path, sampler)
    for batch in islice(first, 5):
        ledger.note(batch)
    # Three packs are left, and this run drops them.
    second, sampler, mover = loader_of("stream", dataset, packs_per_step=8, tail="drop")
    mover.load_state_dict(batch.state)
    ledger = BatchLedger(tmp_path, sampler)
    for batch in second:
        ledger.note(batch)
    report = check_ledger(tmp_path, [packs])
    assert report.problems == []
    assert [(epoch.packs, epoch.dropped) for epoch in report.epochs] == [(20, 3), (16, 7)]


def steps(ledger, loader, stride=1, count=None):
    for batch in islice(loader, 0, count, stride):
        ledger.note(batch)


@pytest.mark.parametrize(("stride", "missing"), [(2, 3), (3, 4), (5, 4)])
def test_steps_that_were_passed_over_are_told_at_the_end(dataset, tmp_path, stride, missing):
    loader, sampler, _ = loader_of("map", dataset)
    ledger = BatchLedger(tmp_path, sampler)
    # As where somebody deals the batches of a rank to ranks again.
    steps(ledger, loader, stride)
    message = f"rank 0 did not take {missing} of the 6 steps of epoch 0"
    with pytest.warns(UserWarning, match=message):
        ledger.on_epoch_end()
    # It is said once, and the next epoch is another.
    ledger.on_epoch_end()
    steps(ledger, loader)
    ledger.on_epoch_end()


def test_steps_missing_from_an_epoch_are_told_when_the_next_begins(dataset, tmp_path):
    loader, sampler, mover = loader_of("stream", dataset)
    ledger = BatchLedger(tmp_path, sampler)
    steps(ledger, loader, count=2)
    mover.set_epoch(1)
    with pytest.warns(UserWarning, match="did not take 4 of the 6 steps of epoch 0"):
        steps(ledger, loader)


def test_going_back_to_a_state_is_no_gap(packs, dataset, tmp_path):
    loader, sampler, mover = loader_of("map", dataset)
    ledger = BatchLedger(tmp_path, sampler)
    batches = list(islice(loader, 4))
    for batch in batches:
        ledger.note(batch)
    mover.load_state_dict(batches[1].state)
    steps(ledger, loader)
    ledger.on_epoch_end()
    report = check_ledger(tmp_path, [packs])
    assert report.problems == [] and report.epochs[0].packs == PACKS


def test_a_batch_that_no_sampler_made_is_refused(dataset, tmp_path):
    ledger = BatchLedger(tmp_path, PackSampler(dataset, packs_per_step=4))
    with pytest.raises(InputError, match="takes batches whose packs PackSampler chose"):
        ledger.note(collate_packs([dataset[0]]))
    ledger.on_epoch_end()
