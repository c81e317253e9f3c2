"""A checkpoint is whole or not there, and gives back what was saved."""

import random

import pytest
import torch
from training_cases import accumulate, small_model

from packkit.base.errors import CheckpointError
from packkit.training.checkpoint_run import CheckpointInfo, read_run, write_run
from packkit.training.checkpoints import (
    checkpoint_name,
    find_checkpoint,
    load_checkpoint,
    newest_checkpoint,
    read_weights,
    save_checkpoint,
)
from packkit.training.parallel import start_ranks


class Run:
    """A model that takes steps, and saves and loads itself."""

    def __init__(self, folder, encoder, ranks, seed=0, **options):
        self.folder, self.encoder, self.ranks = folder, encoder, ranks
        self.model = small_model(seed=seed)
        trained = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, **options)

    def make_step(self, batch):
        accumulate(self.model, [batch], batch.num_targets)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def save(self, step, keep=2):
        return save_checkpoint(
            self.folder,
            info(step),
            model=self.model,
            optimizer=self.optimizer,
            config=self.model.llava.config,
            encoder=self.encoder,
            ranks=self.ranks,
            keep=keep,
        )

    def load(self, path):
        return load_checkpoint(path, model=self.model, optimizer=self.optimizer, ranks=self.ranks)

    def has_the_weights_of(self, other):
        return all(map(torch.equal, self.model.parameters(), other.model.parameters()))


def info(step):
    return CheckpointInfo(step, {"position": 2 * step}, {"model": {"image_tokens": 4}})


@pytest.fixture
def make_run(tmp_path, small_encoder):
    """Makes runs that share one folder of checkpoints."""
    with start_ranks("cpu") as ranks:
        yield lambda **options: Run(tmp_path / "checkpoints", small_encoder, ranks, **options)


@pytest.fixture
def saved(make_run):
    """The path of a checkpoint of no step."""
    return make_run().save(0)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_loaded_run_takes_the_step_that_the_saved_one_takes(make_run, batch_of):
    run, other = make_run(), make_run(seed=1)
    run.make_step(batch_of(0))
    path = run.save(1)
    draws = torch.rand(3)
    assert other.load(path) == info(1)
    assert torch.equal(torch.rand(3), draws)
    assert other.has_the_weights_of(run)
    for each in (run, other):
        each.make_step(batch_of(1))
    assert other.has_the_weights_of(run)


def test_options_of_the_optimizer_stay_those_at_hand(make_run, batch_of):
    run = make_run(lr=1e-3, weight_decay=0.1)
    run.make_step(batch_of(0))
    other = make_run(lr=5e-4, weight_decay=0.3)
    other.load(run.save(1))
    (group,) = other.optimizer.param_groups
    assert (group["lr"], group["weight_decay"]) == (5e-4, 0.3)
    assert len(other.optimizer.state) == len(run.optimizer.state) > 0


def test_it_says_what_it_was_saved_with(saved, small_encoder):
    assert read_run(saved)[0] == info(0)
    assert names(saved) == ["config.json", "encoder", "run.json", "state"]
    assert type(small_encoder).load(saved / "encoder").fingerprint == small_encoder.fingerprint


def test_its_weights_can_be_read_alone_in_float32(make_run):
    run = make_run()
    weights = read_weights(run.save(0)).state_dict()
    expected = run.model.llava.state_dict()
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert {weight.dtype for weight in weights.values()} == {torch.float32}


def test_so_many_of_the_newest_are_kept(make_run):
    run = make_run()
    for step in (1, 2, 3):
        run.save(step, keep=2)
    assert names(run.folder) == ["step-00000002", "step-00000003"]


def test_one_of_the_same_step_is_replaced_and_halves_of_others_removed(make_run, batch_of):
    run, other = make_run(), make_run(seed=1)
    run.save(1)
    (run.folder / ".step-00000009.tmp" / "state").mkdir(parents=True)
    run.make_step(batch_of(0))
    path = run.save(1)
    other.load(path)
    assert other.has_the_weights_of(run)
    assert names(run.folder) == ["step-00000001"]


def test_the_newest_is_that_of_most_steps(tmp_path):
    assert newest_checkpoint(tmp_path) is None
    folders = [checkpoint_name(step) for step in (7, 99_999_999, 100_000_000)]
    for name in (*folders, "step-1", "step-00000008.old", ".step-200000000.tmp"):
        (tmp_path / name).mkdir()
    assert newest_checkpoint(tmp_path) == tmp_path / "step-100000000"


def test_a_path_means_a_checkpoint_or_the_newest_of_a_run(make_run, tmp_path):
    run = make_run()
    assert find_checkpoint(tmp_path) is None
    first, second = run.save(1), run.save(2)
    assert find_checkpoint(first) == first
    assert find_checkpoint(tmp_path) == second
    assert find_checkpoint(tmp_path / "nowhere") is None


def test_one_that_cannot_be_written_leaves_those_before_it(make_run, monkeypatch):
    run = make_run()
    before = contents(run.save(1))

    def fail(folder):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run.encoder, "save", fail, raising=False)
    with pytest.raises(CheckpointError, match=r"step-00000002: cannot save it: .*No space left"):
        run.save(2)
    assert names(run.folder) == ["step-00000001"]
    assert contents(run.folder) == before


def refusal(load, path):
    with pytest.raises(CheckpointError, match="step-00000000: cannot load it: ") as caught:
        load(path)
    return str(caught.value)


def test_no_damage_to_any_file_is_loaded(make_run, saved):
    drawn = random.Random(0)
    loads = (make_run().load, read_weights)
    files = sorted(path for path in saved.rglob("*") if path.is_file() and path.name != "run.json")
    assert [path.suffix for path in files] == [".json", ".json", ".json", ".safetensors"]
    for path in files:
        name, whole = path.relative_to(saved).as_posix(), path.read_bytes()
        for _ in range(25):
            flipped = bytearray(whole)
            flipped[drawn.randrange(len(whole))] ^= 1 << drawn.randrange(8)
            path.write_bytes(flipped)
            assert f"{name} is damaged" in refusal(drawn.choice(loads), saved)
        for damaged in (whole[: len(whole) // 2], bytes(len(whole)), b""):
            path.write_bytes(damaged)
            assert all(f"{name} is damaged" in refusal(load, saved) for load in loads)
        path.unlink()
        assert all(f"{name} is missing" in refusal(load, saved) for load in loads)
        path.write_bytes(whole)
    (saved / "state" / "more.safetensors").write_bytes(b"")
    assert "state/more.safetensors is no part of it" in refusal(read_weights, saved)


def test_what_is_sealed_and_makes_no_sense_is_refused(make_run, saved):
    for name, data in (
        ("config.json", b'{"text_config": 5}'),
        ("config.json", b"{"),
        ("state/shard-00001-model-00001-of-00001.safetensors", b"\xff" * 8 + b"{"),
        ("state/shard-00001-model-00001-of-00001.safetensors", b""),
    ):
        whole = (saved / name).read_bytes()
        (saved / name).write_bytes(data)
        write_run(saved, info(0))
        refusal(read_weights, saved)
        if name.startswith("state"):
            refusal(make_run().load, saved)
        (saved / name).write_bytes(whole)
