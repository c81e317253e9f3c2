"""The chunked loss against torch's own, and against plain logits."""

import pytest
import torch
from torch.nn import functional

from packkit.training import loss
from packkit.training.loss import ChunkedCrossEntropy, row_losses


def inputs(rows, dtype=torch.float32, seed=0):
    made = torch.Generator().manual_seed(seed)
    hidden = torch.randn(rows, 24, generator=made).to(dtype).requires_grad_()
    weight = torch.randn(50, 24, generator=made).to(dtype).requires_grad_()
    return hidden, weight, torch.randint(0, 50, (rows,), generator=made)


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 9, 33])
def test_chunks_give_the_losses_and_gradients_of_plain_logits(rows, monkeypatch):
    monkeypatch.setattr(loss, "_LOGIT_ROWS", 8)
    hidden, weight, targets = inputs(rows)
    weights = torch.rand(rows)
    for ours in (ChunkedCrossEntropy.apply, row_losses):
        losses = ours(hidden, weight, targets)
        expected = functional.cross_entropy(hidden @ weight.T, targets, reduction="none")
        torch.testing.assert_close(losses, expected)
        gradients = torch.autograd.grad((losses * weights).sum(), (hidden, weight))
        wanted = torch.autograd.grad((expected * weights).sum(), (hidden, weight))
        torch.testing.assert_close(gradients, wanted)


def test_in_bfloat16_gradients_are_off_by_rounding_alone(monkeypatch):
    monkeypatch.setattr(loss, "_LOGIT_ROWS", 16)
    hidden, weight, targets = inputs(200, torch.bfloat16)
    truth = functional.cross_entropy(hidden.float() @ weight.float().T, targets, reduction="none")
    wanted = torch.autograd.grad(truth.sum(), (hidden, weight))
    losses = ChunkedCrossEntropy.apply(hidden, weight, targets)
    assert losses.dtype == torch.float32
    for actual, expected in zip(
        torch.autograd.grad(losses.sum(), (hidden, weight)), wanted, strict=True
    ):
        # Half a unit in the last of 8 bits, and as much again for the scores.
        assert (actual - expected).float().norm() < 2**-7 * expected.float().norm()


def test_where_torch_has_none_the_chunked_loss_is_taken(monkeypatch):
    monkeypatch.setattr(loss, "HAS_LINEAR_CROSS_ENTROPY", False)
    hidden, weight, targets = inputs(9)
    name = type(row_losses(hidden, weight, targets).grad_fn).__name__
    assert name == "ChunkedCrossEntropyBackward"
