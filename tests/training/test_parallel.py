"""Gradients over micro-batches and ranks are those of one big batch."""

import pytest
import torch
from training_cases import (
    accumulate,
    check_rank,
    fail_on,
    gradients,
    on_ranks,
    relative_error,
    small_model,
)

from packkit.base.errors import InputError
from packkit.training.parallel import Ranks, start_ranks

# Of text alone, with images, a filler: nothing that two ranks could divide evenly.
PARTS = [[2], [3, 7], [5], [-1], [0, 1, 11], [10]]


@pytest.fixture
def big_batch(batch_of):
    """Gradients and targets of all parts as one batch, by one process."""
    batch = batch_of(*(number for part in PARTS for number in part))
    model = small_model()
    accumulate(model, [batch], batch.num_targets)
    return gradients(model), batch.num_targets


def test_micro_batches_give_the_gradients_of_one_batch(batch_of, big_batch):
    expected, targets = big_batch
    model = small_model()
    accumulate(model, [batch_of(*part) for part in PARTS], targets)
    assert relative_error(gradients(model), expected) < 1e-5


@pytest.mark.parametrize(
    ("world_size", "sharding"), [(1, "full"), (2, "full"), (3, "full"), (2, "none")]
)
def test_ranks_give_the_gradients_of_one_batch(batch_of, big_batch, world_size, sharding):
    batches = [batch_of(*part) for part in PARTS]
    weights = {name: weight.detach() for name, weight in small_model().named_parameters()}
    on_ranks(world_size, check_rank, weights, batches, sharding, *big_batch)


def test_one_process_is_a_world_of_its_own():
    with start_ranks("cpu") as ranks:
        assert ranks == Ranks(0, 1, torch.device("cpu"))
        assert ranks.is_first
        assert ranks.sum([1.5, 2]) == [1.5, 2]
    assert not torch.distributed.is_initialized()


def test_a_rank_without_its_group_does_not_train_alone(monkeypatch):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(InputError, match=r"WORLD_SIZE says 2 .* group of 1: launch with torchrun"):
        start_ranks("cpu").__enter__()
    assert not torch.distributed.is_initialized()


@pytest.mark.parametrize(
    ("failing", "texts", "told"),
    [
        ([], "", None),
        ([0, 1, 2], "aaa", [False, True, True]),
        ([0, 1, 2], "aba", [False, False, True]),
        ([1], "aaa", [True, False, True]),
        ([1, 2], "abb", [True, False, True]),
    ],
)
def test_a_failure_is_one_of_all_ranks_and_told_by_the_first_that_has_it(failing, texts, told):
    on_ranks(3, fail_on, failing, texts, told)
