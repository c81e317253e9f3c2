"""AdamW and the schedule of its learning rate."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from packkit.base.errors import InputError
from packkit.base.values import check_number, check_positive


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerConfig:
    """The ``[optimizer]`` table of a recipe.

    Attributes:
        lr: Highest learning rate.
        weight_decay: Weight decay of matrices; vectors (norms, biases) have none.
        warmup: Share of the steps in which the rate rises, in [0, 1].
        betas: Decay rates of the two moments of AdamW.
        eps: Term that AdamW adds to the denominator.
        max_grad_norm: Norm that gradients are scaled down to; ``inf`` leaves them as they are.
    """

    __pydantic_config__ = {"extra": "forbid", "strict": True}  # noqa: RUF012

    lr: float
    weight_decay: float = 0.0
    warmup: float = 0.03
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    max_grad_norm: float = 1.0

    def __post_init__(self) -> None:
        for name in ("lr", "eps"):
            check_positive(name, getattr(self, name))
        if self.max_grad_norm != math.inf:
            check_positive("max_grad_norm", self.max_grad_norm)
        check_number("weight_decay", self.weight_decay, 0)
        check_number("warmup", self.warmup, 0, 1)
        if not all(0 <= beta < 1 for beta in self.betas):
            raise InputError(f"betas must be two numbers in [0, 1), got {list(self.betas)}")

    def lr_at(self, step: int, steps: int) -> float:
        """Returns the rate of a step: up in a line, then down along half a cosine, towards 0.

        Args:
            step: Number of the step, from 0.
            steps: Number of steps of the run.

        >>> config = OptimizerConfig(lr=1.0, warmup=0.2)
        >>> [round(config.lr_at(step, 10), 2) for step in (0, 1, 2, 6, 9)]
        [0.5, 1.0, 1.0, 0.5, 0.04]
        """
        rising = math.ceil(self.warmup * steps)
        if step < rising:
            return self.lr * ((step + 1) / rising)
        return self.lr * (1 + math.cos(math.pi * (step - rising) / max(steps - rising, 1))) / 2


def make_optimizer(
    config: OptimizerConfig, parameters: Iterable[nn.Parameter]
) -> torch.optim.AdamW:
    """Makes AdamW over the parameters that are trained."""
    trained = [weight for weight in parameters if weight.requires_grad]
    groups = [
        {
            "params": [weight for weight in trained if weight.dim() >= 2],
            "weight_decay": config.weight_decay,
        },
        {"params": [weight for weight in trained if weight.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.lr, betas=config.betas, eps=config.eps)
