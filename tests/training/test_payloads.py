"""Whatever packkit reads may hold a pickle that runs a command: it never runs."""

import io
import os
import pickle
import shutil
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from training_cases import small_model

from packkit import PackReader
from packkit.base.errors import PackkitError
from packkit.loading import PackLoader
from packkit.shards import verify_packs
from packkit.shards.read_lengths import read_lengths
from packkit.training import Trainer, read_recipe
from packkit.training.checkpoint_run import read_run, write_run
from packkit.training.checkpoints import read_weights
from packkit.training.export import export
from packkit.training.generation import Generator
from packkit.training.parallel import start_ranks
from packkit.training.weights import read_llava


class Payload:
    """An object whose unpickling makes a folder."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def mark(tmp_path):
    """A path that no test may find a folder at."""
    return tmp_path / "it-ran"


@pytest.fixture
def payload(mark):
    return pickle.dumps(Payload(mark))


@pytest.fixture
def checkpoint(recipe_in, tmp_path):
    with start_ranks("cpu") as ranks:
        return Trainer(recipe_in(tmp_path / "run"), ranks).save()


@pytest.fixture
def exported(tmp_path):
    """A folder of a whole model, as transformers writes it."""
    small_model().llava.save_pretrained(tmp_path / "exported")
    return tmp_path / "exported"


def files_below(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def refused(action):
    """Whether an action ends in an error of packkit."""
    try:
        action()
    except PackkitError:
        return True
    return False


def test_the_payload_has_teeth(payload, mark):
    pickle.loads(payload)
    assert mark.is_dir()


def test_no_file_of_a_checkpoint_is_unpickled(checkpoint, payload, mark, tmp_path):
    files = [path.relative_to(checkpoint) for path in files_below(checkpoint)]
    for name in [*files, "state/.metadata", "state/__0_0.distcp", "pytorch_model.bin"]:
        for is_sealed in (False, True):
            planted = tmp_path / "planted"
            shutil.copytree(checkpoint, planted)
            (planted / name).write_bytes(payload)
            if is_sealed and str(name) != "run.json":
                write_run(planted, read_run(checkpoint)[0])
            outcomes = {
                refused(partial(read_weights, planted)),
                refused(partial(Generator.load, planted, device="cpu")),
                refused(partial(export, planted, tmp_path / "exported")),
            }
            # What nobody reads may stand there, where its maker lists it.
            assert True in outcomes or name not in files
            assert is_sealed or outcomes == {True}
            assert not mark.exists(), name
            shutil.rmtree(planted)


def test_no_file_of_a_model_is_unpickled(exported, payload, mark):
    whole = {path: path.read_bytes() for path in files_below(exported)}
    assert whole.keys() >= {exported / "config.json", exported / "model.safetensors"}
    for path, data in whole.items():
        path.write_bytes(payload)
        is_refused = refused(lambda: read_llava(exported))
        assert is_refused or path.name == "generation_config.json"
        assert not mark.exists(), path.name
        path.write_bytes(data)
    tensors = load_file(exported / "model.safetensors")
    (exported / "model.safetensors").unlink()
    buffer = io.BytesIO()
    torch.save(tensors, buffer)
    for data in (payload, buffer.getvalue()):
        (exported / "pytorch_model.bin").write_bytes(data)
        assert refused(lambda: read_llava(exported))
        assert not mark.exists()


def test_code_beside_a_model_is_not_imported(exported, mark):
    config = exported / "config.json"
    text = config.read_text().replace(
        "{", '{"auto_map": {"AutoConfig": "planted.Config", "AutoModel": "planted.Model"},', 1
    )
    config.write_text(text.replace('"model_type": "llava"', '"model_type": "planted"'))
    (exported / "planted.py").write_text(f"import os\nos.mkdir({str(mark)!r})\n")
    assert refused(lambda: read_llava(exported))
    assert not mark.exists()


def test_no_file_of_a_pack_set_is_unpickled(packs, payload, mark, tmp_path):
    for path in files_below(packs):
        planted = tmp_path / "planted"
        shutil.copytree(packs, planted)
        (planted / path.relative_to(packs)).write_bytes(payload)

        def read(folder=planted):
            report = verify_packs(folder, deep=True)
            with PackReader(folder) as reader:
                list(reader)
            list(PackLoader(folder, packs_per_step=2, image_size=12))
            assert report.problems

        read_all = refused(read)
        assert read_all or path.name in ("rejects.jsonl", "run.json")
        assert not mark.exists(), path.name
        shutil.rmtree(planted)


def test_lengths_and_recipes_are_not_unpickled(payload, mark, tmp_path):
    np.save(tmp_path / "lengths.npy", np.array([Payload(mark)], object), allow_pickle=True)
    assert refused(lambda: read_lengths(tmp_path / "lengths.npy"))
    for name in ("raw.npy", "recipe.toml"):
        (tmp_path / name).write_bytes(payload)
    assert refused(lambda: read_lengths(tmp_path / "raw.npy"))
    assert refused(lambda: read_recipe(tmp_path / "recipe.toml"))
    assert not mark.exists()


def test_a_state_of_a_loader_is_json(packs):
    loader = PackLoader(packs, packs_per_step=2, image_size=small_model().image_size)
    assert refused(lambda: loader.load_state_dict({"version": 1, "epoch": Payload("x")}))
