"""A batch moves to a device whole, and counts its tokens."""

import dataclasses

import pytest
import torch

from packkit.loading import PackBatch


@pytest.fixture(scope="module")
def batch(make_loader, take):
    """The first batch of a loader, padded."""
    (batch,) = take(make_loader(pad_to_multiple_of=64), 1)
    return batch


def test_tokens_count_the_padding(batch):
    assert batch.tokens == len(batch.input_ids) == int(batch.cu_seqlens[-1])
    assert batch.tokens > int(batch.cu_seqlens[batch.num_segments])


def test_batches_move_as_a_whole(batch):
    moved = batch.to("meta")
    tensors = 0
    for field in dataclasses.fields(PackBatch):
        value, there = getattr(batch, field.name), getattr(moved, field.name)
        if isinstance(value, torch.Tensor):
            tensors += 1
            assert there.device == torch.device("meta")
            assert (there.shape, there.dtype) == (value.shape, value.dtype)
        else:
            assert there == value
    assert tensors == 8
    assert moved.state == batch.state is not None
    assert batch.to("cpu").pixel_values.equal(batch.pixel_values)


def test_a_batch_cannot_be_changed(batch):
    with pytest.raises(dataclasses.FrozenInstanceError):
        batch.step = 7
