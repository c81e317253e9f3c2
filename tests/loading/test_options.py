"""Options are said once: keywords have the names and types of the classes, as have recipes."""

import dataclasses
from typing import get_type_hints

import pytest

from packkit.base.errors import InputError
from packkit.loading import options
from packkit.loading.options import LoaderOptions, resolve_options
from packkit.training import DataConfig

KINDS = ["Dataset", "Sampler", "Batch", "Loader"]


@pytest.mark.parametrize("kind", KINDS)
def test_keywords_are_the_fields(kind):
    fields = get_type_hints(getattr(options, f"{kind}Options"))
    assert get_type_hints(getattr(options, f"{kind}Keywords")) == fields


def test_no_option_belongs_to_two_classes():
    bases = [{field.name for field in dataclasses.fields(base)} for base in LoaderOptions.__bases__]
    assert sum(map(len, bases)) == len(set.union(*bases))


def test_what_a_recipe_shares_has_the_type_and_default_of_the_loader():
    loader, recipe = get_type_hints(LoaderOptions), get_type_hints(DataConfig)
    shared = (loader.keys() & recipe.keys()) - {"packs_per_step"}
    assert shared == {"shuffle", "decoder", "on_bad_image", "balance", "threads"}
    assert all(loader[name] == recipe[name] for name in shared)
    made = DataConfig(packs="packs", packs_per_step=3).loader_options(seed=7)
    assert made == LoaderOptions(packs_per_step=3, seed=7)
    made = DataConfig(packs="packs", packs_per_step=3, threads=1).loader_options()
    assert made.threads == 1


def test_keywords_and_objects_add_up():
    given = LoaderOptions(packs_per_step=2, threads=0)
    assert resolve_options(LoaderOptions, given, {}) is given
    both = resolve_options(LoaderOptions, given, {"seed": 3})
    assert (both.packs_per_step, both.threads, both.seed) == (2, 0, 3)
    with pytest.raises(TypeError, match="shufle"):
        resolve_options(LoaderOptions, None, {"packs_per_step": 1, "shufle": "none"})
    with pytest.raises(TypeError, match="packs_per_step"):
        resolve_options(LoaderOptions, None, {})


@pytest.mark.parametrize(
    "wrong",
    [
        {"on_bad_image": "skip"},
        {"shuffle": "yes"},
        {"tail": "pad"},
        {"split": "test"},
        {"validation_fraction": 1.0},
        {"max_seqlen": 0},
        {"pad_to_multiple_of": -1},
        {"threads": -1},
        {"prefetch": 0},
        {"packs_per_step": 0},
        {"packs_per_step": 2**20 + 1},
        {"packs_per_step": True},
        {"seed": -1},
        {"seed": 2**63},
        {"world_size": 10**30, "rank": 0},
        {"validation_fraction": float("nan")},
        {"image_size": 0},
        {"image_size": 8193},
        {"max_pixels": 2**30 + 1},
        {"pad_to_multiple_of": 2**24 + 1},
        {"max_seqlen": 10**11},
        {"threads": 1025},
        {"prefetch": 1025},
    ],
)
def test_values_out_of_range_are_named_at_once(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        LoaderOptions(**{"packs_per_step": 1, **wrong})
