"""Samples of a pack do not see each other in transformers, and the loss is that of each alone."""

import io
from itertools import pairwise

import numpy as np
import orjson
import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer
from transformers import LlavaConfig, LlavaForConditionalGeneration, Qwen3Config, SiglipVisionConfig

from packkit.encoding import SampleEncoder
from packkit.loading import IGNORED, PackDataset, collate_for_transformers, collate_packs
from packkit.samples import Message, Pack, Sample
from packkit.shards import PackWriter

SIZE, PATCH = 168, 14
IMAGE_TOKENS = (SIZE // PATCH) ** 2
VOCABULARY = 320

# How many images each sample of each pack has; the last pack has none at all.
IMAGES = ([1, 0, 2, 1], [3], [0, 1], [0, 0])
BATCHES = ([0, 1, 2, 3], [0], [1], [3])

# Of logits of about 1: float32 and another order of sums, and what a leak does to them.
SAME, OTHER = 1e-4, 1e-2


def sample(seed, images):
    """A conversation of two turns, its images noise."""
    rng = np.random.default_rng(seed)
    ask = Message("user", (*[None] * images, f"What is {seed}?"))
    answer = Message("assistant", ("It is in the thin line. " * (1 + seed % 3),))
    return Sample(messages=(ask, answer), images=tuple(noise(rng) for _ in range(images)))


def noise(rng):
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """On a busy machine the threads of a tiny model wait for one another most of the time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def encoder(tiny_tokenizer):
    tokenizer = Tokenizer.from_str(orjson.dumps(tiny_tokenizer).decode())
    return SampleEncoder(tokenizer, image_tokens=IMAGE_TOKENS)


@pytest.fixture(scope="module")
def dataset(encoder, tmp_path_factory):
    out = tmp_path_factory.mktemp("transformers") / "packs"
    with PackWriter(out, encoder=encoder) as writer:
        for number, counts in enumerate(IMAGES):
            samples = [sample(10 * number + index, count) for index, count in enumerate(counts)]
            writer.write(Pack(tuple(samples), tuple(map(encoder.length, samples))))
    return PackDataset(out, image_size=SIZE)


@pytest.fixture(scope="module", params=["eager", "sdpa"])
def model(request, encoder):
    """A tiny Llava whose weights are large enough for tokens to mind what they see."""
    layers = {"num_hidden_layers": 2, "num_attention_heads": 4}
    vision = {"image_size": SIZE, "patch_size": PATCH, "hidden_size": 32, "intermediate_size": 64}
    text = {"vocab_size": VOCABULARY, "hidden_size": 64, "intermediate_size": 128, "head_dim": 16}
    config = LlavaConfig(
        vision_config=SiglipVisionConfig(**vision, **layers, vision_use_head=False),
        text_config=Qwen3Config(**text, **layers, num_key_value_heads=2, initializer_range=0.15),
        image_token_index=encoder.image_slot_id,
        vision_feature_layer=-2,
        vision_feature_select_strategy="full",
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = LlavaForConditionalGeneration(config).eval()
    made.set_attn_implementation(request.param)
    assert made.model.language_model.config._attn_implementation == request.param
    return made


def each_alone(packs):
    """What transformers is given of each sample where nothing is packed."""
    batch = collate_packs(packs)
    for start, end in pairwise(batch.cu_seqlens.tolist()):
        is_own = (start <= batch.image_slots[:, 0]) & (batch.image_slots[:, 0] < end)
        ids = batch.input_ids[None, start:end]
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        if is_own.any():
            inputs["pixel_values"] = (batch.pixel_values[is_own] / 255 - 0.5) / 0.5
        yield inputs | {"labels": batch.labels[None, start:end]}


def loss_of_each_alone(model, packs):
    """The mean over all trained tokens, made of transformers' means over each sample's."""
    samples = list(each_alone(packs))
    counts = [int((inputs["labels"] != IGNORED).sum()) for inputs in samples]
    losses = [model(**inputs).loss for inputs in samples]
    return sum(loss * count for loss, count in zip(losses, counts, strict=True)) / sum(counts)


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return {
        name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None
    }


@pytest.mark.parametrize("batch", BATCHES, ids=str)
@torch.no_grad()
def test_logits_are_those_of_each_sample_alone(model, dataset, batch):
    packs = [dataset[number] for number in batch]
    inputs = collate_for_transformers(packs)
    alone = torch.cat([model(**inputs).logits[0] for inputs in each_alone(packs)])
    assert ("pixel_values" in inputs) == any(sum(IMAGES[number]) for number in batch)
    assert alone.std() > 0.5
    assert (model(**inputs).logits[0] - alone).abs().max() < SAME


@pytest.mark.parametrize("batch", BATCHES, ids=str)
def test_loss_and_gradients_are_those_of_each_sample_alone(model, dataset, batch):
    packs = [dataset[number] for number in batch]
    packed, alone = model(**collate_for_transformers(packs)).loss, loss_of_each_alone(model, packs)
    torch.testing.assert_close(packed, alone, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        gradients(model, packed), gradients(model, alone), rtol=1e-3, atol=1e-5
    )


@torch.no_grad()
def test_trainer_divides_by_all_labels_that_are_trained(model, dataset):
    packs = [dataset[number] for number in BATCHES[0]]
    inputs, batch = collate_for_transformers(packs), collate_packs(packs)
    # The Trainer counts the labels but for the first, and hands the number to the model.
    counted = (inputs["labels"][..., 1:] != IGNORED).sum()
    assert counted == batch.num_targets
    once, twice = (model(**inputs, num_items_in_batch=counted * times).loss for times in (1, 2))
    torch.testing.assert_close(once, model(**inputs).loss)
    torch.testing.assert_close(twice, once / 2)


@torch.no_grad()
def test_logits_of_trained_tokens_alone_give_the_same_loss(model, dataset):
    packs = [dataset[number] for number in BATCHES[0]]
    inputs = collate_for_transformers(packs, targets_only=True)
    outputs = model(**inputs)
    assert outputs.logits.shape == (1, collate_packs(packs).num_targets, VOCABULARY)
    assert (inputs["shift_labels"] != IGNORED).all()
    torch.testing.assert_close(outputs.loss, model(**collate_for_transformers(packs)).loss)


LEAKS = {
    "a mask": lambda inputs: {"attention_mask": torch.ones_like(inputs["input_ids"])},
    "a cache": lambda _: {"use_cache": True},
    "positions of the row": lambda inputs: {
        "position_ids": torch.arange(inputs["input_ids"].shape[1])[None]
    },
    "images of others": lambda inputs: {"pixel_values": inputs["pixel_values"].flip(0)},
}


@pytest.mark.parametrize("leak", LEAKS)
@torch.no_grad()
def test_the_comparison_sees_a_leak(model, dataset, leak):
    packs = [dataset[number] for number in BATCHES[0]]
    inputs = collate_for_transformers(packs)
    alone = torch.cat([model(**inputs).logits[0] for inputs in each_alone(packs)])
    leaking = model(**(inputs | LEAKS[leak](inputs))).logits[0]
    assert (leaking - alone).abs().max() > OTHER


def test_labels_that_cross_a_border_change_the_loss(model, dataset):
    packs = [dataset[number] for number in BATCHES[0]]
    inputs = collate_for_transformers(packs)
    firsts = collate_packs(packs).cu_seqlens[1:-1]
    crossing = inputs["labels"].clone()
    crossing[0, firsts] = inputs["input_ids"][0, firsts]
    with torch.no_grad():
        packed = model(**(inputs | {"labels": crossing})).loss
        assert (packed - loss_of_each_alone(model, packs)).abs() > 1e-3
