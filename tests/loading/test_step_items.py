"""The packs of a step keep their step on the way through a DataLoader, whatever starts workers."""

import pickle

import pytest
from torch.utils.data import DataLoader

from packkit.loading import PackSampler, collate_packs
from packkit.loading.cursor import Cursor
from packkit.loading.step_items import StepItems


def test_a_copy_of_another_process_is_the_same():
    items = StepItems([3, 1], Cursor(1, 2, 8), {"version": 1})
    copy = pickle.loads(pickle.dumps(items))
    assert copy == items == [3, 1]
    assert (copy.start, copy.state) == (items.start, items.state)


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_batches_of_workers_know_their_step(dataset, make_loader, context):
    sampler = PackSampler(dataset, packs_per_step=9, rank=0, world_size=1)
    loader = DataLoader(
        dataset,
        batch_sampler=sampler,
        collate_fn=collate_packs,
        num_workers=2,
        multiprocessing_context=context,
    )
    expected = [
        (batch.epoch, batch.step, batch.position, batch.state)
        for batch in make_loader(packs_per_step=9)
    ]
    assert [(batch.epoch, batch.step, batch.position, batch.state) for batch in loader] == expected


def test_packs_that_no_step_asked_for_have_none(dataset):
    (batch,) = DataLoader(dataset, batch_sampler=[[0, 1]], collate_fn=collate_packs)
    assert (batch.epoch, batch.step, batch.position, batch.state) == (None, None, None, None)
