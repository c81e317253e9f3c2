"""Packed, the model computes what it computes of each sample alone, images and all."""

import dataclasses
import shutil

import pytest
import torch
from training_cases import (
    IMAGE_TOKENS,
    LANGUAGE,
    VISION,
    gradients,
    relative_error,
    small_model,
    with_pixels,
)
from transformers import LlavaForConditionalGeneration

from packkit.base.errors import InputError
from packkit.loading import PackDataset, collate_packs
from packkit.loading.collate import LoadedPack, PackTokens
from packkit.training.model import ModelConfig, PackModel
from packkit.training.weights import llava_config, starting_llava

PATHS = ["varlen", "sdpa"]
PACK_IDS = (3, 5, 7, 11)


@pytest.fixture(scope="module")
def alone(packs):
    """Every sample of the packs as a batch of its own."""
    dataset = PackDataset(packs, image_size=VISION["image_size"])
    batches = []
    for number in PACK_IDS:
        pack = dataset[number]
        tokens, images = pack.tokens, 0
        start = 0
        for length in tokens.lengths.tolist():
            inside = (tokens.image_slots[:, 0] >= start) & (
                tokens.image_slots[:, 0] < start + length
            )
            slots = tokens.image_slots[inside] - [start, 0]
            sample_tokens = PackTokens(
                number,
                tokens.input_ids[start : start + length],
                tokens.labels[start : start + length],
                tokens.lengths[:1] * 0 + length,
                slots.astype("int32"),
            )
            pixels = pack.pixel_values[images : images + len(slots)]
            batches.append(collate_packs([LoadedPack(sample_tokens, pixels)]))
            images, start = images + len(slots), start + length
    return batches


def loss_by_hand(model, batch):
    """Cross entropy of transformers' own forward over one sample, summed."""
    embedded = model.embed(batch.input_ids, batch.pixel_values, batch.image_slots)
    model.llava.set_attn_implementation("eager")
    states = model.llava.model.language_model(inputs_embeds=embedded[None], use_cache=False)
    logits = model.llava.lm_head(states.last_hidden_state[0])
    return torch.nn.functional.cross_entropy(logits[:-1], batch.labels[1:], reduction="sum")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("isolate", [True, False])
def test_packed_loss_and_gradients_are_those_of_each_sample_alone(batch_of, alone, path, isolate):
    expected_model = small_model()
    expected = sum(loss_by_hand(expected_model, batch) for batch in alone)
    expected.backward()
    model = small_model(attention=path, isolate=isolate)
    loss = model(batch_of(*PACK_IDS, pad_to_multiple_of=64))
    loss.backward()
    off = abs(loss.item() / expected.item() - 1)
    error = relative_error(gradients(model), gradients(expected_model))
    if isolate:
        assert off < 1e-5
        assert error < 1e-5
    else:
        assert off > 1e-4
        assert error > 1e-2


has_no_compiler = not any(map(shutil.which, ("c++", "g++", "clang++")))
needs_compiler = pytest.mark.skipif(has_no_compiler, reason="transformers compiles FlexAttention")


@pytest.mark.parametrize("path", [*PATHS, pytest.param("flex", marks=needs_compiler)])
@pytest.mark.filterwarnings(r"ignore:.torch\.jit\.:DeprecationWarning")
@torch.no_grad()
def test_every_attention_gives_the_same_logits(batch_of, compiled_anew, path):
    batch = batch_of(*PACK_IDS)
    torch.testing.assert_close(
        small_model(attention=path).logits(batch),
        small_model(attention="sdpa").logits(batch),
        rtol=0,
        atol=1e-5,
    )


def test_checkpointed_activations_give_the_same_gradients(batch_of):
    plain, checkpointed = small_model(), small_model().train()
    checkpointed.llava.model.language_model.activation_checkpointing_enable(
        {"use_reentrant": False}
    )
    for model in (plain, checkpointed):
        model(batch_of(*PACK_IDS)).backward()
    assert relative_error(gradients(checkpointed), gradients(plain)) == 0


def test_images_matter_and_only_to_their_own_sample(batch_of):
    model, batch = small_model(), batch_of(3)
    pixels = batch.pixel_values.clone()
    pixels[-1] = 255 - pixels[-1]
    with torch.no_grad():
        difference = model.logits(batch) - model.logits(with_pixels(batch, pixels))
    changed = difference.abs().amax(1) > 0
    first = int(batch.image_slots[-1, 0])
    assert not changed[:first].any()
    assert changed[first:].all()


def test_pooled_features_are_those_of_the_second_to_last_layer(batch_of):
    batch, model = batch_of(3), small_model()
    tower = model.llava.model.vision_tower
    normalized = batch.pixel_values.float() / 127.5 - 1
    with torch.no_grad():
        states = tower(normalized, output_hidden_states=True).hidden_states[-2]
    grid = states.transpose(1, 2).unflatten(2, (3, 3))
    expected = torch.nn.functional.adaptive_avg_pool2d(grid, 2).flatten(2).transpose(1, 2)
    torch.testing.assert_close(model.image_features(batch.pixel_values), expected)


def test_the_vision_encoder_is_frozen_and_all_else_is_trained(batch_of):
    model = small_model()
    model(batch_of(0)).backward()
    for name, weight in model.named_parameters():
        assert (weight.grad is None) == ("vision_tower" in name), name


def test_a_batch_without_targets_has_no_loss_and_gradients_of_zero(batch_of):
    batch = batch_of(2)
    none = dataclasses.replace(batch, labels=torch.full_like(batch.labels, -100), num_targets=0)
    model = small_model()
    loss = model(none)
    loss.backward()
    assert loss == 0
    assert all(not gradient.any() for gradient in gradients(model).values())


def test_a_filler_is_a_batch_like_any_other(batch_of):
    model = small_model()
    model(batch_of(-1)).backward()
    assert all(not gradient.any() for gradient in gradients(model).values())


def test_other_image_slots_are_refused(batch_of):
    model = small_model(image_tokens=9)
    with pytest.raises(InputError, match=rf"packs \[3\].* 9 tokens.*{IMAGE_TOKENS}"):
        model.check(batch_of(3))


def test_more_image_tokens_than_features_are_refused():
    with pytest.raises(InputError, match=r"at most 9.*got 16"):
        small_model(image_tokens=16)


def test_an_id_without_embedding_is_refused(batch_of):
    batch = batch_of(0)
    batch.input_ids[5] = LANGUAGE["vocab_size"]
    with pytest.raises(InputError, match=r"under 288.*got 288"):
        small_model().check(batch)


QWEN3_17B = {
    "hidden_size": 2048,
    "intermediate_size": 6144,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 151936,
    "tie_word_embeddings": True,
}
QWEN3_4B = QWEN3_17B | {
    "hidden_size": 2560,
    "intermediate_size": 9728,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
}
SIGLIP = {
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "image_size": 384,
    "patch_size": 14,
}


def parameters(module):
    return sum(weight.numel() for weight in module.parameters())


@pytest.mark.parametrize(
    ("language", "text", "projector"),
    [(QWEN3_17B, 1_720_574_976, 6_557_696), (QWEN3_4B, 4_022_468_096, 9_507_840)],
)
def test_real_models_have_their_published_sizes(language, text, projector):
    config = llava_config(ModelConfig(language=language, vision=SIGLIP, weights="random"))
    with torch.device("meta"):
        model = PackModel(LlavaForConditionalGeneration(config), image_tokens=144)
    parts = model.llava.model
    assert model.llava.lm_head.weight is parts.language_model.embed_tokens.weight
    assert parameters(parts.language_model) == text
    assert parameters(parts.multi_modal_projector) == projector
    assert parameters(parts.vision_tower) == 412_987_248


def test_the_seed_decides_new_weights():
    config = ModelConfig(language=LANGUAGE, vision=VISION, weights="random")
    first, again, other = (starting_llava(config, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["lm_head.weight"], other["lm_head.weight"])
