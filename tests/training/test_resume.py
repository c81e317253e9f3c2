"""A run that goes on says what its recipe changes, and refuses what cannot change within it."""

import dataclasses
import json

import orjson
import pytest
from training_cases import LANGUAGE, VISION, run_until

from packkit.base.errors import InputError
from packkit.shards.manifest import with_checksum
from packkit.training import train
from packkit.training.checkpoint_run import RUN, read_run
from packkit.training.checkpoints import newest_checkpoint
from packkit.training.resume import changes_since


@pytest.fixture(scope="module")
def stopped(recipe_in, tmp_path_factory):
    """A run that was stopped behind its second step of twelve, read only."""
    out = tmp_path_factory.mktemp("stopped") / "run"
    run_until(recipe_in(out), 3)
    return newest_checkpoint(out / "checkpoints")


def lines(changes):
    return [str(change) for change in changes]


def test_the_same_recipe_changes_nothing(stopped, recipe_in, tmp_path):
    assert changes_since(stopped, recipe_in(stopped.parents[1])) == []
    # Where a run of another folder goes on is no change of it.
    assert changes_since(stopped, recipe_in(tmp_path)) == []


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ({"optimizer": {"lr": 1e-7}}, ["optimizer.lr: 0.001 -> 1e-07"]),
        ({"optimizer": {"betas": (0.5, 0.9)}}, ["optimizer.betas: [0.9, 0.999] -> [0.5, 0.9]"]),
        (
            {"data": {"epochs": 5, "packs_per_step": 4}},
            ["data.epochs: 2 -> 5", "data.packs_per_step: 2 -> 4"],
        ),
        ({"data": {"packs": "moved/packs"}}, ["data.packs: {packs} -> moved/packs"]),
        (
            {"run": {"keep": 9, "precision": "bf16"}},
            ["run.keep: 2 -> 9", "run.precision: fp32 -> bf16"],
        ),
        ({"model": {"isolate": False}}, ["model.isolate: True -> False"]),
        ({"model": {"weights": "runs/first"}}, ["model.weights: random -> runs/first"]),
    ],
)
def test_keys_that_may_change_are_named_with_both_values(
    stopped, recipe_in, packs, tables, expected
):
    changes = changes_since(stopped, recipe_in("run", **tables))
    assert lines(changes) == [line.format(packs=packs) for line in expected]


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        (
            {"model": {"language": {**LANGUAGE, "hidden_size": 64}}},
            "model.language.hidden_size: 32 -> 64",
        ),
        (
            {"model": {"language": {**LANGUAGE, "rope_theta": 5.0}}},
            "model.language.rope_theta: not set -> 5.0",
        ),
        (
            {"model": {"vision": {key: VISION[key] for key in VISION if key != "patch_size"}}},
            "model.vision.patch_size: 4 -> not set",
        ),
        ({"model": {"image_tokens": 9}}, "model.image_tokens: 4 -> 9"),
        ({"run": {"seed": 7}}, "run.seed: 0 -> 7"),
        ({"data": {"shuffle": "none"}}, "data.shuffle: global -> none"),
        ({"data": {"decoder": "turbo"}}, "data.decoder: pillow -> turbo"),
    ],
)
def test_keys_that_cannot_change_are_an_error_before_any_weight_is_read(
    stopped, recipe_in, monkeypatch, tables, expected
):
    def read_nothing(*_):
        raise AssertionError("weights are read")

    monkeypatch.setattr("packkit.training.trainer.starting_llava", read_nothing)
    with pytest.raises(InputError) as caught:
        train(recipe_in(stopped.parents[1], **tables))
    assert str(caught.value) == (
        f"{stopped}: cannot go on with another {expected}; set it back, or start a new run"
    )


def test_a_key_younger_than_the_checkpoint_had_its_default(stopped, recipe_in, tmp_path):
    saved = json.loads((stopped / RUN).read_text())
    info = read_run(stopped)[0]
    for table, key in (("run", "tensorboard"), ("optimizer", "betas"), ("data", "balance")):
        del info.recipe[table][key]
        assert key in saved["recipe"][table]
    older = tmp_path / "older"
    older.mkdir()
    fields = {**saved, "recipe": info.recipe}
    fields.pop("checksum")
    (older / RUN).write_bytes(with_checksum(fields))
    assert changes_since(older, recipe_in("run")) == []
    changed = recipe_in("run", run={"tensorboard": True})
    assert lines(changes_since(older, changed)) == ["run.tensorboard: False -> True"]


def test_changes_are_told_once_and_kept_with_the_run(recipe_in, tmp_path):
    out, told = tmp_path / "run", []
    run_until(recipe_in(out), 3)
    train(recipe_in(out, optimizer={"lr": 1e-7}), on_resume=told.append)
    ((checkpoint, step, steps, changes),) = told
    assert (checkpoint, step, steps) == (out / "checkpoints" / "step-00000002", 2, 12)
    assert lines(changes) == ["optimizer.lr: 0.001 -> 1e-07"]
    kept = [orjson.loads(line) for line in (out / "changes.jsonl").read_bytes().splitlines()]
    assert [(line["step"], line["key"], line["before"], line["after"]) for line in kept] == [
        (2, "optimizer.lr", 0.001, 1e-07)
    ]
    # From now on this is the recipe of the run.
    saved = read_run(newest_checkpoint(out / "checkpoints"))[0].recipe
    assert saved["optimizer"]["lr"] == 1e-7


def test_a_finished_run_says_so_and_goes_on_with_more_epochs(recipe_in, tmp_path):
    out, told, made = tmp_path / "run", [], []
    recipe = recipe_in(out)
    last = train(recipe)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert train(recipe, on_resume=told.append) == last
    changed = recipe_in(out, optimizer={"lr": 1e-7})
    assert train(changed, on_resume=told.append) == last
    assert [(resumption.step, resumption.steps) for resumption in told] == [(12, 12)] * 2
    assert all(resumption.is_finished for resumption in told)
    after = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    del before[out / "loss.png"], after[out / "loss.png"]
    assert after == before

    more = dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, epochs=3))
    train(
        more,
        on_step=lambda metrics, steps: made.append((metrics.step, steps, metrics.lr)),
        on_resume=told.append,
    )
    assert [(step, steps) for step, steps, _ in made] == [(step, 18) for step in range(13, 19)]
    assert [lr for *_, lr in made] == [recipe.optimizer.lr_at(step, 18) for step in range(12, 18)]
    assert lines(told[-1].changes) == ["data.epochs: 2 -> 3"] and not told[-1].is_finished
