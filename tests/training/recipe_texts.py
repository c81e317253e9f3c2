"""Recipes as texts: those shipped, a small one, and what is said of one that is refused."""

from pathlib import Path

import pytest

from packkit.base.errors import InputError
from packkit.training.recipe import read_recipe

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
TINY = RECIPES / "tiny.toml"
PRETRAIN = "pretrain"
STAGES = ["sft-1-general", "sft-2-medical", "sft-3-cross-distribution"]
TABLES = ["run", "data", "model", "optimizer"]
CHAIN = [PRETRAIN, *STAGES]
BOTH_SIZES = [name + size for name in CHAIN for size in ("", "-4b")]

# InfiMed-Foundation: pretraining, then three stages that differ in nothing but data and weights.
PAPER = {
    "lr": (5e-5, 2e-5),
    "weight_decay": (0.01, 0.1),
    "warmup": (0.03, 0.03),
    "packs_per_step": (256, 128),
    "epochs": (1, 1),
    "image_tokens": (144, 729),
}

SMALL = """
[run]
out = "runs/small"
[data]
packs = "packs"
packs_per_step = 2
[model]
weights = "random"
[optimizer]
lr = 0.001
"""


def recipe(name):
    return read_recipe(RECIPES / f"{name}.toml")


def refusal(path, *changes):
    """Returns the message with which a recipe is refused."""
    with pytest.raises(InputError) as caught:
        read_recipe(path, changes)
    return str(caught.value)


@pytest.fixture
def written(tmp_path):
    """Writes a recipe; returns its path."""

    def write(text, name="small.toml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write
