"""Cross entropy of hidden states, with the logits of a few hundred rows at a time.

torch has this from 2.13 on as ``torch.nn.functional.linear_cross_entropy``; `ChunkedCrossEntropy`
gives the same numbers where it is missing.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

# Rows of logits that exist at once: 0.3 GB in float32 with Qwen3's vocabulary.
_LOGIT_ROWS = 512

HAS_LINEAR_CROSS_ENTROPY = hasattr(functional, "linear_cross_entropy")


def row_losses(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Returns the loss of every row, float32 [N], nats.

    Args:
        hidden: Floating point [N, H], hidden states.
        weight: Floating point [V, H], rows of the vocabulary.
        targets: int64 [N], id that each row should predict.
    """
    if not HAS_LINEAR_CROSS_ENTROPY:
        losses: Tensor = ChunkedCrossEntropy.apply(hidden, weight, targets)  # type: ignore[no-untyped-call]
        return losses
    # In bfloat16 the sum itself would be off by two percent.
    return functional.linear_cross_entropy(
        hidden,
        weight,
        targets,
        reduction="none",
        options=nn.LinearCrossEntropyOptions(batch_chunk_size=_LOGIT_ROWS, chunking_method=None),
    ).float()


class ChunkedCrossEntropy(torch.autograd.Function):
    """Cross entropy whose logits are made twice, forward and backward, and never kept.

    The gradient of the weight is summed over the chunks in float32.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:  # noqa: ANN401
        """Returns the loss of every row, float32 [N]."""
        ctx.save_for_backward(hidden, weight, targets)
        parts = (torch.split(tensor, _LOGIT_ROWS) for tensor in (hidden, targets))
        chunks = zip(*parts, strict=True)
        losses = [
            functional.cross_entropy((rows @ weight.T).float(), wanted, reduction="none")
            for rows, wanted in chunks
        ]
        return torch.cat(losses) if losses else hidden.new_zeros(0, dtype=torch.float32)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:  # noqa: ANN401
        """Returns the gradients of hidden states and weight."""
        hidden, weight, targets = ctx.saved_tensors
        weight_gradient = torch.zeros_like(weight, dtype=torch.float32)
        hidden_gradient = torch.empty_like(hidden)
        for start in range(0, len(hidden), _LOGIT_ROWS):
            part = slice(start, start + _LOGIT_ROWS)
            rows, wanted = hidden[part], targets[part, None]
            scores = torch.softmax((rows @ weight.T).float(), dim=1)
            scores.scatter_add_(1, wanted, scores.new_full(wanted.shape, -1.0))
            scores = (scores * gradient[part, None]).to(weight.dtype)
            hidden_gradient[part] = scores @ weight
            weight_gradient += scores.T @ rows
        return hidden_gradient, weight_gradient.to(weight.dtype), None
