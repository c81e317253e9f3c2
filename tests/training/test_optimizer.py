"""The rate rises in a line and falls along a cosine; decay is for matrices that are trained."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import nn
from transformers import get_cosine_schedule_with_warmup

from packkit.base.errors import InputError
from packkit.training.model import ModelConfig, PackModel
from packkit.training.optimizer import OptimizerConfig, make_optimizer
from packkit.training.weights import starting_llava

PEAKS = st.floats(1e-8, 10.0)
WARMUPS = st.floats(0.0, 1.0)
STEPS = st.integers(1, 2000)
any_schedule = given(PEAKS, WARMUPS, STEPS)


def rates_of(lr, warmup, steps):
    """Returns the rates of all steps, and in how many of them the rate rises."""
    config = OptimizerConfig(lr=lr, warmup=warmup)
    return [config.lr_at(step, steps) for step in range(steps)], math.ceil(warmup * steps)


@any_schedule
@example(5e-5, 0.03, 1000)
def test_the_rate_rises_in_a_line_to_its_peak(lr, warmup, steps):
    rates, rising = rates_of(lr, warmup, steps)
    assert rates[:rising] == pytest.approx([lr * n / rising for n in range(1, rising + 1)])
    assert max(rates) == pytest.approx(lr)


@any_schedule
# The product of rate and steps, rounded and divided again, may be a hair above the rate.
@example(0.1, 0.5, 6)
def test_the_rate_never_exceeds_its_peak(lr, warmup, steps):
    rates, _ = rates_of(lr, warmup, steps)
    assert max(rates) <= lr * (1 + 1e-15)


@any_schedule
def test_the_rate_falls_without_a_pause_after_its_peak(lr, warmup, steps):
    rates, rising = rates_of(lr, warmup, steps)
    falling = rates[rising:]
    assert all(later < earlier for earlier, later in pairwise(falling))
    # The fall begins at the peak, so that a rise is followed by a second step there.
    assert falling[:1] == [lr][: len(falling)]


@given(PEAKS, WARMUPS, st.integers(1, 10**6))
def test_the_rate_is_positive_at_every_step_and_so_at_the_last(lr, warmup, steps):
    config = OptimizerConfig(lr=lr, warmup=warmup)
    for step in {0, steps // 2, steps - 1}:
        assert config.lr_at(step, steps) > 0


@given(PEAKS, st.integers(1, 500))
def test_the_fall_is_half_a_cosine(lr, half):
    config = OptimizerConfig(lr=lr, warmup=0.0)
    assert config.lr_at(half, 2 * half) == pytest.approx(lr / 2)
    for step in range(half):
        mirrored = config.lr_at(step, 2 * half) + config.lr_at(2 * half - step, 2 * half)
        assert mirrored == pytest.approx(lr)


def test_without_warmup_the_first_step_has_the_peak():
    assert rates_of(0.5, 0.0, 10)[0][0] == 0.5


def test_with_nothing_but_warmup_the_last_step_has_the_peak():
    assert rates_of(0.5, 1.0, 4)[0] == [0.125, 0.25, 0.375, 0.5]


@any_schedule
def test_the_rise_is_one_step_ahead_of_that_of_transformers_and_the_fall_is_the_same(
    lr, warmup, steps
):
    rates, rising = rates_of(lr, warmup, steps)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)
    (share,) = get_cosine_schedule_with_warmup(optimizer, rising, steps).lr_lambdas
    # Theirs counts steps that were made: it begins at 0, which trains nothing.
    theirs = [lr * share(step + 1 if step < rising else step) for step in range(steps)]
    assert rates == pytest.approx(theirs, rel=1e-9)


class Mixed(nn.Module):
    """Parameters of zero to four dimensions."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.embedding = nn.Embedding(5, 4)
        self.convolution = nn.Conv2d(3, 2, 2)
        self.linear = nn.Linear(4, 3)
        self.norm = nn.LayerNorm(4)


def test_decay_shrinks_what_has_two_dimensions_or_more_and_nothing_else():
    model = Mixed()
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    optimizer = make_optimizer(OptimizerConfig(lr=0.1, weight_decay=0.5), model.parameters())
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    for name, after in model.named_parameters():
        kept = 1 - 0.1 * 0.5 if after.dim() >= 2 else 1.0
        torch.testing.assert_close(after.detach(), kept * before[name])
    assert {weight.dim() for weight in before.values()} == {0, 1, 2, 4}


def test_what_is_frozen_is_not_in_the_optimizer():
    model = Mixed()
    model.embedding.requires_grad_(False)
    model.norm.bias.requires_grad_(False)
    optimizer = make_optimizer(OptimizerConfig(lr=0.1), model.parameters())
    held = [id(weight) for group in optimizer.param_groups for weight in group["params"]]
    assert sorted(held) == sorted(
        id(weight) for weight in model.parameters() if weight.requires_grad
    )
    assert len(held) == len(list(model.parameters())) - 2


def test_of_a_model_all_but_the_vision_encoder_is_trained_and_tied_weights_once():
    language = {
        "vocab_size": 50,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "tie_word_embeddings": True,
    }
    vision = {
        "hidden_size": 12,
        "intermediate_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 28,
        "patch_size": 14,
    }
    llava = starting_llava(ModelConfig(language=language, vision=vision, weights="random"), 0)
    model = PackModel(llava, image_tokens=4)
    optimizer = make_optimizer(OptimizerConfig(lr=0.1, weight_decay=0.3), model.parameters())
    matrices, vectors = (
        {id(weight) for weight in group["params"]} for group in optimizer.param_groups
    )
    names = {id(weight): name for name, weight in model.named_parameters()}
    assert matrices | vectors == {key for key, name in names.items() if "vision_tower" not in name}
    assert {names[number].rsplit(".", 1)[-1] for number in vectors} == {"weight", "bias"}
    assert all("norm" in names[number] or names[number].endswith("bias") for number in vectors)
    assert id(llava.lm_head.weight) in matrices
    assert llava.lm_head.weight is llava.get_input_embeddings().weight
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(matrices | vectors)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.3, 0.0]


def test_the_optimizer_is_adamw_as_it_is_configured():
    config = OptimizerConfig(lr=0.25, betas=(0.8, 0.95), eps=1e-6)
    optimizer = make_optimizer(config, Mixed().parameters())
    assert type(optimizer) is torch.optim.AdamW
    for group in optimizer.param_groups:
        assert (group["lr"], group["betas"], group["eps"]) == (0.25, (0.8, 0.95), 1e-6)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *((key, bad) for key in ("lr", "eps", "max_grad_norm") for bad in (0.0, -1.0, math.nan)),
        ("weight_decay", -0.01),
        ("weight_decay", math.nan),
        ("warmup", -0.1),
        ("warmup", 1.1),
        ("warmup", math.nan),
    ],
)
def test_illegal_values_are_refused_by_key_and_value(key, value):
    with pytest.raises(InputError) as caught:
        OptimizerConfig(**{"lr": 0.1, key: value})
    assert str(caught.value).startswith(f"{key} must ")
    assert str(caught.value).endswith(f"got {value}")


@pytest.mark.parametrize("betas", [(1.0, 0.9), (0.9, 1.0), (-0.1, 0.9), (0.9, math.nan)])
def test_illegal_betas_are_refused_with_their_values(betas):
    with pytest.raises(InputError) as caught:
        OptimizerConfig(lr=0.1, betas=betas)
    assert "betas must " in str(caught.value) and str(list(betas)) in str(caught.value)


@pytest.mark.parametrize("legal", [{"warmup": 0.0}, {"warmup": 1.0}, {"betas": (0.0, 0.0)}])
def test_the_ends_of_what_is_legal_are_legal(legal):
    assert OptimizerConfig(lr=0.1, **legal).lr_at(0, 1) == 0.1
