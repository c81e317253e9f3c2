"""Arithmetic that is counted on paper equals what torch counts, and what is published."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlavaConfig, Qwen3Config, SiglipVisionConfig, SiglipVisionModel

from packkit.loading.collate import PackTokens, flatten
from packkit.loading.options import BatchOptions
from packkit.training.flops import batch_flops, peak_flops
from packkit.training.model import ModelConfig, PackModel
from packkit.training.weights import starting_llava
from packkit.varlen import pack_tokens

VOCABULARY = 89
IMAGE_TOKENS = 4
LANGUAGE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 3,
    # Heads are together wider than the hidden states, and share keys, as in Qwen3.
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "tie_word_embeddings": True,
}
VISION = {
    "hidden_size": 40,
    "intermediate_size": 56,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "image_size": 56,
    "patch_size": 14,
}
SO400M = {
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "image_size": 384,
    "patch_size": 14,
}


def pack_of(lengths, images=0, trained=0.6):
    """A pack and its pixels; the images stand one after another at the front."""
    made = np.random.default_rng(len(lengths) + images)
    tokens = sum(lengths)
    ids = made.integers(0, VOCABULARY, tokens).astype(np.int32)
    labels = np.where(made.random(tokens) < trained, ids, -100).astype(np.int32)
    labels[np.cumsum([0, *lengths])[:-1]] = -100
    labels[: IMAGE_TOKENS * images] = -100
    slots = [[IMAGE_TOKENS * image, IMAGE_TOKENS] for image in range(images)]
    pack = PackTokens(
        pack_id=0 if lengths else -1,
        input_ids=ids,
        labels=labels,
        lengths=np.array(lengths, np.int64),
        image_slots=np.array(slots, np.int32).reshape(-1, 2),
    )
    size = VISION["image_size"]
    pixels = made.integers(0, 256, (images, 3, size, size)).astype(np.uint8)
    return pack, pixels


def batch_of(*args, **options):
    pack, pixels = pack_of(*args)
    return flatten([pack], pixels, [()], BatchOptions(**options))


def measured(model, batch):
    """Counts a step with attention and loss written out: torch counts no fused one on a CPU."""
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        hidden = model.hidden(batch)
        targets = pack_tokens(batch.cu_seqlens, batch.labels, batch.num_segments).targets
        kept = targets != -100
        cross_entropy(model.llava.lm_head(hidden[kept]), targets[kept]).backward()
    return counter.get_total_flops()


@pytest.fixture(scope="module")
def model():
    config = ModelConfig(language=LANGUAGE, vision=VISION, weights="random")
    return PackModel(starting_llava(config, 0), image_tokens=IMAGE_TOKENS, attention="sdpa")


@pytest.fixture(scope="module")
def config(model):
    return model.llava.config


@pytest.mark.parametrize(
    ("lengths", "images"),
    [([40], 2), ([1, 30, 9], 0), ([24, 17, 3], 5)],
    ids=str,
)
def test_arithmetic_is_what_torch_counts_but_for_conventions(model, config, lengths, images):
    batch = batch_of(lengths, images)
    tokens, squares = sum(lengths), sum(length**2 for length in lengths)
    heads = LANGUAGE["num_attention_heads"] * LANGUAGE["head_dim"]
    # Torch counts all pairs of tokens: those ahead, and those of two samples, which need none.
    # Scores and their use, 2 operations each, once forward and twice backward.
    pairs_without_need = tokens**2 - squares / 2
    unneeded = 3 * 2 * 2 * LANGUAGE["num_hidden_layers"] * heads * pairs_without_need
    counted = batch_flops(config, batch, IMAGE_TOKENS)
    assert counted + unneeded == measured(model, batch)


@given(st.lists(st.tuples(st.integers(9, 60), st.integers(0, 2)), min_size=1, max_size=6))
def test_samples_together_take_what_they_take_alone(config, samples):
    packs, pixels = zip(*(pack_of([length], images) for length, images in samples), strict=True)
    together = flatten(packs, np.concatenate(pixels), [()] * len(packs))
    alone = [batch_of([length], images) for length, images in samples]
    expected = sum(batch_flops(config, batch, IMAGE_TOKENS) for batch in alone)
    assert batch_flops(config, together, IMAGE_TOKENS) == pytest.approx(expected)


def test_padding_takes_nothing(config):
    plain, padded = batch_of([30, 11], 1), batch_of([30, 11], 1, pad_to_multiple_of=64)
    assert padded.tokens == 64
    counts = [batch_flops(config, batch, IMAGE_TOKENS) for batch in (plain, padded)]
    assert counts[0] == counts[1] > 0


def test_a_filler_takes_nothing(config):
    assert batch_flops(config, batch_of([]), IMAGE_TOKENS) == 0.0


def test_more_of_anything_takes_more(config):
    def count(*args):
        return batch_flops(config, batch_of(*args), IMAGE_TOKENS)

    # Without targets, of which another draw may hold more or fewer.
    assert count([40], 1, 0.0) < count([41], 1, 0.0)
    assert count([40], 1, 0.0) < count([40], 2, 0.0)
    assert count([40], 1, 0.0) < count([40], 1, 0.5) < count([40], 1, 1.0)


def image_flops(layers):
    """Operations of the vision encoder of so400m alone, of which the last layer is not run."""
    vision = SiglipVisionConfig(**{**SO400M, "num_hidden_layers": layers})
    config = LlavaConfig(vision_config=vision, text_config=Qwen3Config(**LANGUAGE))
    pixels = torch.zeros((1, 3, 384, 384), dtype=torch.uint8)
    batch = dataclasses.replace(batch_of([]), pixel_values=pixels)
    return batch_flops(config, batch, image_tokens=0)


@pytest.mark.parametrize(("run", "published"), [(27, 0.665e12), (26, 0.64e12)])
def test_an_image_takes_what_is_published_of_siglip_so400m(run, published):
    assert image_flops(run + 1) == pytest.approx(published, rel=0.005)


def test_an_image_takes_what_torch_counts_for_siglip_so400m():
    vision = SiglipVisionConfig(**{**SO400M, "num_hidden_layers": 26}, vision_use_head=False)
    # On this device tensors have shapes and no values.
    with torch.device("meta"), sdpa_kernel(SDPBackend.MATH):
        encoder, image = SiglipVisionModel(vision), torch.zeros(1, 3, 384, 384)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            encoder(image)
    assert image_flops(27) == counter.get_total_flops()


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H200", 989e12),
        ("NVIDIA A100-SXM4-40GB", 312e12),
        ("NVIDIA L40S", 362e12),
        ("NVIDIA B200", 2250e12),
    ],
)
def test_peaks_of_known_devices_are_those_of_their_data_sheets(name, peak):
    assert peak_flops(name) == peak


@pytest.mark.parametrize("name", ["NVIDIA GeForce RTX 4090", "Tesla T4", "NVIDIA L40", ""])
def test_the_peak_of_another_device_is_not_known(name):
    assert peak_flops(name) is None
