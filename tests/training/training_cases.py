"""A model small enough to train in a test, and what many tests ask of one."""

import dataclasses
import os
import resource
import socket
import sys

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from packkit.base.errors import InputError
from packkit.cli.main import main
from packkit.training.model import ModelConfig, PackModel
from packkit.training.parallel import Ranks, shard
from packkit.training.trainer import Trainer, train
from packkit.training.weights import starting_llava

IMAGE_TOKENS = 4
LANGUAGE = {
    "vocab_size": 288,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "initializer_range": 0.15,
    "tie_word_embeddings": True,
}
# 3 x 3 features.
VISION = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 12,
    "patch_size": 4,
}


def small_model(seed=0, image_tokens=IMAGE_TOKENS, **options):
    """A model of new weights."""
    config = ModelConfig(language=LANGUAGE, vision=VISION, weights="random")
    return PackModel(starting_llava(config, seed), image_tokens=image_tokens, **options).eval()


def gradients(model):
    """The gradient of every weight that is trained, whole, by name."""
    gradients_by_name = {
        name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad
    }
    assert all(weight is not None for weight in gradients_by_name.values())
    return {
        name: (gradient.full_tensor() if hasattr(gradient, "full_tensor") else gradient).clone()
        for name, gradient in gradients_by_name.items()
    }


def relative_error(actual, expected):
    """The largest difference of a weight's gradient, as a share of the norm of all."""
    assert actual.keys() == expected.keys()
    norm = torch.cat([gradient.flatten() for gradient in expected.values()]).norm()
    assert norm > 1e-3
    return max((actual[name] - expected[name]).norm() / norm for name in expected)


def on_ranks(world_size, function, *arguments):
    """Runs ``function(ranks, *arguments)`` in processes that gloo joins."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    arguments_of_rank = (world_size, port, function, arguments)
    mp.start_processes(_on_rank, arguments_of_rank, nprocs=world_size, start_method="forkserver")


def _on_rank(rank, world_size, port, function, arguments):
    torch.set_num_threads(1)
    address = f"tcp://localhost:{port}"
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=world_size)
    function(Ranks(rank, world_size, torch.device("cpu")), *arguments)
    dist.destroy_process_group()


class StoppedError(Exception):
    """Somebody pulled the plug."""


def stop_after(step):
    def on_step(metrics, steps):
        if metrics.step == step:
            raise StoppedError

    return on_step


def run_until(recipe, step):
    with pytest.raises(StoppedError):
        train(recipe, on_step=stop_after(step))


# What ranks run stands here: their processes cannot import the tests themselves.


def run_command(words, stdout, stderr, file_size):
    """The command line, its output in files; no file may grow over so many bytes."""
    torch.set_num_threads(1)
    for path, stream in ((stdout, sys.stdout), (stderr, sys.stderr)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream.fileno())
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    sys.argv = ["packkit", *words]
    main()


def fail_on(ranks, failing, texts, told):
    def act():
        if ranks.rank in failing:
            raise InputError(texts[ranks.rank])
        return ranks.rank

    try:
        assert ranks.together(act, InputError("elsewhere")) == ranks.rank and not failing
    except InputError as error:
        expected = texts[ranks.rank] if ranks.rank in failing else "elsewhere"
        assert (str(error), error.is_told) == (expected, told[ranks.rank])
    else:
        assert not failing


def accumulate(model, batches, targets):
    for batch in batches:
        (model(batch) / targets).backward()


def check_rank(ranks, weights, batches, sharding, expected, targets):
    model = small_model(seed=1)
    model.load_state_dict(weights, strict=False)
    batches_of_rank = batches[ranks.rank :: ranks.world_size]
    assert ranks.sum([sum(batch.num_targets for batch in batches_of_rank), 1]) == [
        targets,
        ranks.world_size,
    ]
    shard(model, ranks, sharding=sharding)
    accumulate(model, batches_of_rank, targets)
    assert relative_error(gradients(model), expected) < 1e-5
    limit = 0.5 * float(torch.cat([gradient.flatten() for gradient in expected.values()]).norm())
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), limit).full_tensor()
    assert abs(norm.item() / (2 * limit) - 1) < 1e-5


def train_for(ranks, recipe, steps):
    trainer = Trainer(recipe, ranks)
    for metrics in trainer:
        if metrics.step == steps:
            trainer.save()
            break


def with_pixels(batch, pixels):
    """The batch with other images."""
    return dataclasses.replace(batch, pixel_values=pixels)
