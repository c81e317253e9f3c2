"""A small pack set, and a small model that trains on it in a moment."""

import dataclasses
import io
import json
import resource
from functools import partial
from multiprocessing import get_context
from subprocess import CompletedProcess

import numpy as np
import orjson
import pytest
import torch
from PIL import Image
from recipe_texts import written as written
from tokenizers import Tokenizer
from training_cases import IMAGE_TOKENS, LANGUAGE, VISION, run_command

from packkit import PackReader, PackWriter
from packkit.encoding import SampleEncoder
from packkit.loading import PackDataset, collate_packs
from packkit.samples import Message, Pack, Sample
from packkit.training import DataConfig, ModelConfig, OptimizerConfig, Recipe, RunConfig

PACKS = 12


def picture(seed):
    """A PNG of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 20, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def pack_of(number, encoder):
    """A pack of one to four samples; every third pack is text alone, some samples two images."""
    samples = []
    for index in range(1 + number % 4):
        seed = 5 * number + index
        images = [] if number % 3 == 2 else [picture(seed + k) for k in range(1 + seed % 2)]
        ask = Message("user", (*[None] * len(images), f"What is {seed}?"))
        answer = Message("assistant", ("It is in the thin line. " * (1 + seed % 3) + str(seed),))
        samples.append(Sample(id=f"{number}/{index}", messages=(ask, answer), images=tuple(images)))
    return Pack(tuple(samples), tuple(map(encoder.length, samples)))


@pytest.fixture(scope="session")
def small_encoder(tiny_tokenizer):
    """An encoder that loads in no time."""
    spec = {**tiny_tokenizer, "decoder": dict(tiny_tokenizer["pre_tokenizer"], use_regex=True)}
    return SampleEncoder(Tokenizer.from_str(orjson.dumps(spec).decode()), image_tokens=IMAGE_TOKENS)


@pytest.fixture(scope="session")
def packs(tmp_path_factory, small_encoder):
    """A pack set of twelve packs; read only."""
    out = tmp_path_factory.mktemp("training") / "packs"
    with PackWriter(out, encoder=small_encoder, capacity=1024) as writer:
        for number in range(PACKS):
            writer.write(pack_of(number, small_encoder))
    return out


@pytest.fixture(scope="session")
def batch_of(packs):
    """Makes a batch of some of the packs, by number."""
    dataset = PackDataset(packs, image_size=VISION["image_size"])

    def make(*numbers, **options):
        return collate_packs([dataset[number] for number in numbers], **options)

    return make


@pytest.fixture(scope="session")
def samples(packs):
    """Every sample of the packs, pack by pack."""
    with PackReader(packs) as reader:
        return [reader[number].data for number in range(len(reader))]


@pytest.fixture(scope="session")
def recipe_in(packs):
    """Makes a recipe of a small run in a folder; tables of keys to change by name."""

    def make(out, run=None, data=None, model=None, optimizer=None):
        defaults = {"out": str(out), "precision": "fp32", "checkpoint_every": 2}
        return Recipe(
            run=RunConfig(**{**defaults, **(run or {})}),
            data=DataConfig(
                **{"packs": str(packs), "packs_per_step": 2, "epochs": 2, "threads": 1}
                | (data or {})
            ),
            model=ModelConfig(
                **{
                    "language": LANGUAGE,
                    "vision": VISION,
                    "weights": "random",
                    "image_tokens": IMAGE_TOKENS,
                }
                | (model or {})
            ),
            optimizer=OptimizerConfig(**{"lr": 1e-3, "weight_decay": 0.1} | (optimizer or {})),
        )

    return make


@pytest.fixture
def make_recipe(recipe_in, tmp_path):
    """Makes a recipe of a small run in the test's own folder; tables of keys to change by name."""
    return partial(recipe_in, tmp_path / "run")


@pytest.fixture
def write_recipe(tmp_path):
    """Writes a recipe as the TOML file that it is read from."""

    def write(recipe):
        path = tmp_path / "recipe.toml"
        path.write_text("\n".join(_toml(dataclasses.asdict(recipe))))
        return path

    return write


def _toml(table, name=""):
    plain = {key: value for key, value in table.items() if not isinstance(value, dict)}
    if name:
        yield f"[{name}]"
    yield from (f"{key} = {json.dumps(value)}" for key, value in plain.items() if value is not None)
    for key in table.keys() - plain.keys():
        yield from _toml(table[key], f"{name}.{key}".lstrip("."))


@pytest.fixture(scope="module", autouse=True)
def few_threads():
    """Small products are not faster on several threads, and those of several processes collide."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def start_packkit(tmp_path):
    """Starts the command line in a process that need not import torch and transformers anew."""

    def start(*words, file_size=resource.RLIM_INFINITY):
        arguments = [*map(str, words)], tmp_path / "stdout", tmp_path / "stderr", file_size
        process = get_context("forkserver").Process(target=run_command, args=arguments)
        process.start()
        return process

    return start


@pytest.fixture
def packkit(start_packkit, tmp_path):
    """Runs the command line to its end."""

    def run(*words, **options):
        process = start_packkit(*words, **options)
        process.join()
        output = [(tmp_path / name).read_text() for name in ("stdout", "stderr")]
        return CompletedProcess(words, process.exitcode, *output)

    return run
