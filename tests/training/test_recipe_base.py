"""A recipe with a base takes over the keys that it has not."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recipe_texts import (
    SMALL,
    refusal,
)

from packkit.training.recipe import read_recipe


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_own_keys_win_and_all_others_are_those_of_the_base(tmp_path_factory, data):
    rates = st.dictionaries(
        st.sampled_from(["lr", "eps", "max_grad_norm", "weight_decay", "warmup"]),
        st.floats(1e-6, 1.0),
    )
    levels = data.draw(st.lists(rates, min_size=1, max_size=4))
    folder = tmp_path_factory.mktemp("bases")
    (folder / "0.toml").write_text(SMALL)
    for level, changed in enumerate(levels, 1):
        lines = [f'base = "{level - 1}.toml"', "[optimizer]"]
        lines += [f"{key} = {value!r}" for key, value in changed.items()]
        (folder / f"{level}.toml").write_text("\n".join(lines))
    whole = read_recipe(folder / "0.toml")
    expected = dataclasses.asdict(whole.optimizer)
    for changed in levels:
        expected |= changed
    combined = read_recipe(folder / f"{len(levels)}.toml")
    assert dataclasses.asdict(combined.optimizer) == expected
    assert (combined.run, combined.data, combined.model) == (whole.run, whole.data, whole.model)


def test_a_table_in_a_table_replaces_that_of_the_base(written):
    written(SMALL + "[model.language]\nhidden_size = 32\nhead_dim = 8\n", "base.toml")
    path = written('base = "base.toml"\n[model.language]\nhidden_size = 64\n')
    model = read_recipe(path).model
    assert model.language == {"hidden_size": 64}
    assert model.weights == "random"


def test_a_base_lies_beside_the_recipe_wherever_it_is_read_from(written, monkeypatch):
    written(SMALL)
    path = written('base = "../small.toml"\n[optimizer]\nlr = 7.0', "below/own.toml")
    monkeypatch.chdir(path.parent.parent)
    assert read_recipe("below/own.toml").optimizer.lr == 7.0
    assert read_recipe("below/own.toml").data.packs_per_step == 2


def test_two_recipes_may_share_a_base(written):
    written(SMALL)
    for name in ("a", "b"):
        path = written(f'base = "small.toml"\n[run]\nout = "runs/{name}"', f"{name}.toml")
        assert read_recipe(path).run.out == f"runs/{name}"


def test_a_base_that_does_not_exist_is_refused(written):
    message = refusal(written('base = "none.toml"\n' + SMALL))
    assert "none.toml" in message and "cannot read" in message


@pytest.mark.parametrize("base", ["3", "true", "['small.toml']", "{a = 1}"])
def test_a_base_that_is_no_name_is_refused(written, base):
    message = refusal(written(f"base = {base}\n" + SMALL))
    assert "small.toml" in message and "base" in message


@pytest.mark.parametrize("length", [1, 2, 3])
def test_bases_in_a_circle_are_refused(written, length):
    for number in range(length):
        written(f'base = "{(number + 1) % length}.toml"\n' + SMALL, f"{number}.toml")
    first = written('base = "0.toml"', "first.toml")
    message = refusal(first)
    # It is the last of the circle that must be changed.
    assert f"{length - 1}.toml: " in message and "base" in message and "'0.toml'" in message
