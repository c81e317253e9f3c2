"""Train, generate and export as a person or a script calls them."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from PIL import Image
from training_cases import LANGUAGE, VISION, run_until

from packkit import PackWriter
from packkit.encoding import SampleEncoder
from packkit.samples import Pack, Sample
from packkit.training import Trainer
from packkit.training.generation import Generator
from packkit.training.parallel import start_ranks
from packkit.training.trainer import train
from packkit.training.weights import read_llava


def test_train_says_where_the_checkpoint_is_and_heeds_set(make_recipe, write_recipe):
    recipe = make_recipe(data={"epochs": 1})
    changes = ["--set", "optimizer.lr=0.25", "--set", "run.keep=1"]
    # The one that starts from nothing: it imports torch and transformers, which takes seconds.
    command = [sys.executable, "-m", "packkit", "train", str(write_recipe(recipe)), *changes]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (checkpoint,) = (Path(recipe.run.out) / "checkpoints").iterdir()
    assert done.stdout == f"{checkpoint}\n"
    assert checkpoint.name == "step-00000006"
    saved = json.loads((checkpoint / "run.json").read_text())
    assert saved["step"] == 6
    assert saved["recipe"]["optimizer"]["lr"] == 0.25
    assert saved["recipe"]["run"]["keep"] == 1
    assert saved["recipe"]["optimizer"]["weight_decay"] == recipe.optimizer.weight_decay


def test_train_does_not_start_over_what_is_there(packkit, make_recipe, write_recipe):
    recipe = make_recipe(data={"epochs": 1})
    newest = train(recipe)
    before = sorted(Path(recipe.run.out).rglob("*"))
    done = packkit("train", write_recipe(recipe), "--resume", "never")
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(f"packkit: {newest}: the run has checkpoints")
    assert sorted(Path(recipe.run.out).rglob("*")) == before


def test_train_says_where_it_goes_on_and_what_is_left(packkit, make_recipe, write_recipe):
    recipe = make_recipe()
    run_until(recipe, 3)
    checkpoints = Path(recipe.run.out) / "checkpoints"
    done = packkit("train", write_recipe(recipe), "--set", "optimizer.lr=1e-7")
    assert done.returncode == 0
    notices = [line for line in done.stderr.splitlines() if line.startswith("packkit: ")]
    assert notices == [
        f"packkit: goes on from {checkpoints / 'step-00000002'}, at step 2 of 12",
        "packkit: changed: optimizer.lr: 0.001 -> 1e-07",
    ]
    again = packkit("train", write_recipe(recipe), "--set", "optimizer.lr=1e-7")
    assert (again.returncode, again.stdout) == (0, done.stdout)
    assert again.stderr.strip() == (
        f"packkit: {checkpoints / 'step-00000012'}: nothing is left to do, 12 of 12 steps are "
        "made; raise data.epochs to go on"
    )


def test_train_names_a_key_that_it_does_not_know(packkit, make_recipe, write_recipe):
    recipe = make_recipe()
    done = packkit("train", write_recipe(recipe), "--set", "optimizer.learning_rate=1")
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    assert line.endswith("optimizer.learning_rate is no key of a recipe")
    assert not Path(recipe.run.out).exists()


def test_what_all_ranks_find_is_told_once(make_recipe, write_recipe):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": port}
    command = [sys.executable, "-m", "packkit", "train", str(write_recipe(make_recipe()))]
    ranks = [
        subprocess.Popen(
            [*command, "--set", "data.packs_per_step=3"],
            env={**os.environ, **group, "RANK": rank, "LOCAL_RANK": rank},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in "01"
    ]
    first, second = (rank.communicate(timeout=100)[1] for rank in ranks)
    (line,) = first.splitlines()
    assert line.startswith("packkit: data.packs_per_step must be a multiple of data.micro_packs")
    assert second == ""
    assert ranks[0].returncode == ranks[1].returncode == 2


def test_generate_prints_what_the_model_says(packkit, make_recipe, tmp_path):
    # Long enough for it to have learned how answers begin.
    checkpoint = train(make_recipe(data={"epochs": 8}, optimizer={"lr": 1e-2}))
    run, image = checkpoint.parents[1], tmp_path / "image.png"
    Image.linear_gradient("L").convert("RGB").save(image)
    done = packkit(
        *("generate", run, "--image", image, "--image", image),
        *("--prompt", "What is 6?", "--max-new-tokens", 70, "--device", "cpu"),
    )
    assert done.returncode == 0, done.stderr
    generator = Generator.load(run, device="cpu")
    expected = generator.generate("What is 6?", [image.read_bytes()] * 2, max_new_tokens=70)
    assert expected.startswith("It is in the thin line.")
    assert done.stdout == f"{expected}\n"


def test_export_prints_the_folder(packkit, make_recipe, small_encoder, tmp_path):
    features = (VISION["image_size"] // VISION["patch_size"]) ** 2
    encoder = SampleEncoder(small_encoder.tokenizer, image_tokens=features)
    sample = Sample(content=("The thin line.",))
    with PackWriter(tmp_path / "packs", encoder=encoder, capacity=64) as writer:
        writer.write(Pack((sample,), (encoder.length(sample),)))
    recipe = make_recipe(data={"packs": str(tmp_path / "packs")}, model={"image_tokens": features})
    with start_ranks("cpu") as ranks:
        Trainer(recipe, ranks).save()
    out = tmp_path / "exported"
    done = packkit("export", recipe.run.out, out)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{out}\n"
    assert json.loads((out / "config.json").read_text())["dtype"] == "bfloat16"
    assert read_llava(out).config.text_config.vocab_size == LANGUAGE["vocab_size"]
