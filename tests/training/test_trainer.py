"""A run that is stopped, killed or moved to other ranks ends where an unbroken one does."""

import random
import shutil
import signal
import subprocess
import sys
import time
from copy import deepcopy
from pathlib import Path

import orjson
import pytest
import torch
from tokenizers import Tokenizer
from training_cases import on_ranks, run_until, train_for

from packkit import PackWriter, check_ledger
from packkit.base.errors import (
    DivergedError,
    FingerprintError,
    InputError,
    OutputExistsError,
)
from packkit.encoding import SampleEncoder
from packkit.samples import Pack, Sample
from packkit.training import Trainer, train
from packkit.training.checkpoints import newest_checkpoint, read_weights
from packkit.training.metrics import read_metrics
from packkit.training.parallel import start_ranks
from packkit.training.weights import starting_llava

STEPS = 12


def losses(recipe):
    return [line["loss"] for line in read_metrics(Path(recipe.run.out) / "metrics.jsonl")]


def weights(recipe):
    return dict(read_weights(newest_checkpoint(checkpoints(recipe))).named_parameters())


def checkpoints(recipe):
    return Path(recipe.run.out) / "checkpoints"


def whole(weight):
    return weight.full_tensor() if hasattr(weight, "full_tensor") else weight


@pytest.fixture(scope="module")
def unbroken(recipe_in, tmp_path_factory):
    """A recipe that was trained from start to end; its run is read only."""
    recipe = recipe_in(tmp_path_factory.mktemp("unbroken") / "run")
    train(recipe)
    return recipe


def assert_same_bits(recipe, unbroken):
    assert losses(recipe) == losses(unbroken)
    expected = weights(unbroken)
    assert all(torch.equal(weight, expected[name]) for name, weight in weights(recipe).items())


@pytest.mark.parametrize("step", [1, 2, 3, 6, 7, 11])
def test_a_stopped_run_goes_on_to_the_same_bits(make_recipe, unbroken, packs, step):
    recipe = make_recipe()
    run_until(recipe, step)
    train(recipe)
    assert len(losses(recipe)) == STEPS
    assert_same_bits(recipe, unbroken)
    report = check_ledger(Path(recipe.run.out) / "ledger", [packs])
    assert not report.problems
    assert [epoch.packs for epoch in report.epochs] == [12, 12]


def test_a_killed_run_goes_on_to_the_same_bits(
    make_recipe, write_recipe, start_packkit, packkit, tmp_path, packs
):
    run, long = {"checkpoint_every": 7}, {"epochs": 10}
    unbroken = make_recipe(run={**run, "out": str(tmp_path / "unbroken")}, data=long)
    train(unbroken)
    recipe = make_recipe(run=run, data=long)
    path = write_recipe(recipe)
    for stop in sorted(random.sample(range(5, 50), 2)):
        process = start_packkit("train", path)
        while process.is_alive() and len(losses(recipe)) < stop:
            time.sleep(0.01)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL, (tmp_path / "stderr").read_text()
        assert len(losses(recipe)) < 60
    done = packkit("train", path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(newest_checkpoint(checkpoints(recipe)))
    assert_same_bits(recipe, unbroken)
    assert not check_ledger(Path(recipe.run.out) / "ledger", [packs]).problems


@pytest.mark.parametrize("sharding", ["full", "none"])
def test_a_run_goes_on_on_other_ranks(make_recipe, tmp_path, packs, sharding):
    data = {"packs_per_step": 4, "epochs": 3}
    unbroken = make_recipe(run={"out": str(tmp_path / "unbroken")}, data=data)
    train(unbroken)
    recipe = make_recipe(run={"sharding": sharding}, data=data)
    on_ranks(2, train_for, recipe, 4)
    train(recipe)
    assert losses(recipe) == pytest.approx(losses(unbroken)[4:], rel=1e-5)
    report = check_ledger(Path(recipe.run.out) / "ledger", [packs])
    assert not report.problems
    assert [epoch.packs for epoch in report.epochs] == [12, 12, 12]


def test_gradient_accumulation_changes_no_loss(make_recipe, tmp_path):
    data = {"packs_per_step": 4}
    together = make_recipe(run={"out": str(tmp_path / "together")}, data={**data, "micro_packs": 4})
    apart = make_recipe(data=data)
    train(together)
    train(apart)
    assert losses(apart) == pytest.approx(losses(together), rel=1e-5)


def test_a_stage_starts_from_the_last_one_with_more_image_tokens(
    make_recipe, unbroken, small_encoder, samples, tmp_path
):
    encoder = SampleEncoder(small_encoder.tokenizer, image_tokens=9)
    with PackWriter(tmp_path / "packs", encoder=encoder, capacity=1024) as writer:
        for data in samples:
            writer.write(Pack(data, tuple(map(encoder.length, data))))
    recipe = make_recipe(
        data={"packs": str(tmp_path / "packs")},
        model={
            "weights": unbroken.run.out,
            "language": None,
            "vision": None,
            "image_tokens": 9,
        },
    )
    with start_ranks("cpu") as ranks:
        start = dict(Trainer(recipe, ranks).model.llava.named_parameters())
        expected = weights(unbroken)
        assert all(torch.equal(whole(start[name]), weight) for name, weight in expected.items())
    train(recipe)
    assert losses(recipe)[0] < losses(unbroken)[0]


def test_a_stage_with_another_tokenizer_is_refused(make_recipe, unbroken, tiny_tokenizer, tmp_path):
    spec = deepcopy(tiny_tokenizer)
    spec["model"]["merges"].pop()
    encoder = SampleEncoder(Tokenizer.from_str(orjson.dumps(spec).decode()), image_tokens=4)
    sample = Sample(content=("The thin line.",))
    with PackWriter(tmp_path / "packs", encoder=encoder, capacity=1024) as writer:
        writer.write(Pack((sample,), (encoder.length(sample),)))
    recipe = make_recipe(
        data={"packs": str(tmp_path / "packs")},
        model={"weights": unbroken.run.out, "language": None, "vision": None},
    )
    with pytest.raises(FingerprintError, match="trained with another tokenizer: tokenizer_model"):
        train(recipe)


def test_torchrun_gives_the_losses_of_one_process(make_recipe, write_recipe, tmp_path, packs):
    alone = make_recipe(run={"out": str(tmp_path / "alone")})
    train(alone)
    recipe = make_recipe()
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["--standalone", "-m", "packkit", "train", str(write_recipe(recipe))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(newest_checkpoint(checkpoints(recipe)))
    assert losses(recipe) == pytest.approx(losses(alone), rel=1e-5)
    report = check_ledger(Path(recipe.run.out) / "ledger", [packs])
    assert not report.problems
    assert [epoch.packs for epoch in report.epochs] == [12, 12]


def test_bfloat16_trains_over_master_weights_in_float32(make_recipe, unbroken):
    recipe = make_recipe(run={"precision": "bf16"})
    train(recipe)
    assert losses(recipe) == pytest.approx(losses(unbroken), rel=0.02)
    assert losses(recipe) != losses(unbroken)
    assert losses(recipe)[-1] < losses(recipe)[0]
    final, start = weights(recipe), starting_llava(recipe.model, recipe.run.seed)
    changed = {
        name: weight
        for name, weight in final.items()
        if not torch.equal(weight, start.get_parameter(name))
    }
    assert all(weight.dtype == torch.float32 for weight in final.values())
    assert any(not torch.equal(weight, weight.bfloat16().float()) for weight in changed.values())


def test_a_resumed_run_heeds_its_recipe_as_it_is_now(make_recipe):
    run_until(make_recipe(), 3)
    recipe = make_recipe(optimizer={"weight_decay": 0.3, "betas": (0.8, 0.9)})
    with start_ranks("cpu") as ranks:
        trainer = Trainer(recipe, ranks)
        trainer.resume(newest_checkpoint(checkpoints(recipe)))
        matrices, vectors = trainer.optimizer.param_groups
        assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.3, 0)
        assert matrices["betas"] == vectors["betas"] == (0.8, 0.9)
        assert trainer.optimizer.state


def test_metrics_are_sums_over_the_step(unbroken, samples, small_encoder):
    first_epoch = read_metrics(Path(unbroken.run.out) / "metrics.jsonl")[:6]
    everything = [sample for pack in samples for sample in pack]
    encoded = [small_encoder.encode(sample) for sample in everything]
    assert sum(step["tokens"] for step in first_epoch) == sum(step.length for step in encoded)
    assert sum(step["targets"] for step in first_epoch) == sum(
        int((sample.labels != -100).sum()) for sample in encoded
    )
    assert sum(step["images"] for step in first_epoch) == sum(
        len(step.images) for step in everything
    )
    assert all(0 < step["data_seconds"] < step["seconds"] for step in first_epoch)
    assert all(step["mfu"] is None for step in first_epoch)


def test_only_the_newest_checkpoints_are_kept(unbroken):
    kept = sorted(path.name for path in checkpoints(unbroken).iterdir())
    assert kept == ["step-00000010", "step-00000012"]
    assert (Path(unbroken.run.out) / "loss.png").stat().st_size > 0


def test_never_starts_anew_only_where_nothing_is_lost(make_recipe):
    recipe = make_recipe()
    run_until(recipe, 3)
    with pytest.raises(OutputExistsError, match="step-00000002"):
        train(recipe, resume="never")


def test_a_run_can_go_on_from_another_ones_checkpoint(make_recipe, unbroken, tmp_path):
    recipe = make_recipe()
    train(recipe, resume=checkpoints(unbroken) / "step-00000010")
    assert losses(recipe) == losses(unbroken)[10:]
    with pytest.raises(InputError, match="resume must be"):
        train(make_recipe(run={"out": str(tmp_path / "other")}), resume=tmp_path)


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_last_checkpoint(make_recipe):
    recipe = make_recipe(run={"checkpoint_every": 1}, optimizer={"lr": 1e30, "warmup": 0.0})
    with pytest.raises(DivergedError, match=r"must be finite.*step-0000") as caught:
        train(recipe)
    last = newest_checkpoint(checkpoints(recipe))
    assert last.name == f"step-{caught.value.step - 1:08}"
    assert all(weight.isfinite().all() for weight in weights(recipe).values())


def test_a_full_disk_keeps_the_last_checkpoint(make_recipe, write_recipe, packkit):
    recipe = make_recipe()
    run_until(recipe, 5)
    before = {path: path.read_bytes() for path in checkpoints(recipe).rglob("*") if path.is_file()}
    done = packkit("train", write_recipe(recipe), file_size=30_000)
    assert done.returncode == 1
    assert "step-00000006: cannot save it: " in done.stderr
    assert "File too large" in done.stderr
    after = {path: path.read_bytes() for path in checkpoints(recipe).rglob("*") if path.is_file()}
    assert after == before
    train(recipe)
    assert len(losses(recipe)) == STEPS


def test_other_packs_are_refused(make_recipe, packs, tmp_path):
    run_until(make_recipe(), 3)
    copy = shutil.copytree(packs, tmp_path / "copy")
    with pytest.raises(FingerprintError, match=r"packs\[1\] is None in the state"):
        train(make_recipe(data={"packs": [str(packs), str(copy)]}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": {"packs_per_step": 3, "micro_packs": 2}}, "packs_per_step must be a multiple"),
        ({"model": {"isolate": False}, "data": {"micro_packs": 2}}, "micro_packs must be 1"),
        ({"model": {"image_tokens": 10}}, "image_tokens must be at most 9.*got 10"),
        ({"model": {"image_tokens": 9}}, "every image must take 9 tokens.*4"),
        ({"model": {"weights": "pretrained"}}, "model.language and model.vision must be folders"),
        ({"model": {"weights": "nowhere"}}, "model.language and model.vision must be left out"),
        ({"model": {"language": None}}, "model.language is missing"),
        ({"model": {"language": {"hidden_sizes": 3}}}, "no field 'hidden_sizes'"),
        ({"run": {"device": "cuda"}}, "run.device must be cpu or auto"),
    ],
)
def test_what_does_not_fit_is_refused(make_recipe, changes, message):
    if changes.get("run") and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(InputError, match=message):
        train(make_recipe(**changes))


def test_missing_weights_are_refused(make_recipe, tmp_path):
    recipe = make_recipe(
        model={"weights": str(tmp_path / "none"), "language": None, "vision": None}
    )
    with pytest.raises(InputError, match=r"model\.weights: cannot read a config from"):
        train(recipe)


def test_len_of_a_run_is_known_beforehand(make_recipe):
    with start_ranks("cpu") as ranks:
        trainer = Trainer(make_recipe(data={"packs_per_step": 5}), ranks)
        assert trainer.steps == 2 * 3
        assert [metrics.step for metrics in trainer] == list(range(1, 7))
