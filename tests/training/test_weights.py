"""Weights come from where the recipe says, all of them, or not at all."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from training_cases import IMAGE_TOKENS, LANGUAGE, VISION
from transformers import (
    Qwen3Config,
    Qwen3ForCausalLM,
    SiglipConfig,
    SiglipModel,
    SiglipTextConfig,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from packkit.base.errors import InputError
from packkit.training.model import ModelConfig, PackModel
from packkit.training.weights import llava_config, read_llava, starting_llava

TEXT = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "vocab_size": 50,
    "projection_size": 16,
}


@pytest.fixture(scope="module")
def language(tmp_path_factory):
    """A small Qwen3 as published: a folder of config and safetensors."""
    folder = tmp_path_factory.mktemp("language")
    Qwen3ForCausalLM(Qwen3Config(**LANGUAGE)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def vision(tmp_path_factory):
    """A small SigLIP as published: with both towers and a pooling head."""
    folder = tmp_path_factory.mktemp("vision")
    config = SiglipConfig(
        text_config=SiglipTextConfig(**TEXT), vision_config=SiglipVisionConfig(**VISION)
    )
    SiglipModel(config).save_pretrained(folder)
    return folder


def pretrained(language, vision):
    return ModelConfig(language=str(language), vision=str(vision), image_tokens=IMAGE_TOKENS)


def test_pretrained_parts_are_taken_as_they_are_with_a_new_projector(language, vision):
    llava = starting_llava(pretrained(language, vision), seed=0)
    text = Qwen3ForCausalLM.from_pretrained(language)
    tower = SiglipVisionModel.from_pretrained(vision)
    expected = dict(tower.named_parameters())
    for name, weight in llava.model.vision_tower.named_parameters():
        assert torch.equal(weight, expected[name]), name
    for name, weight in llava.model.language_model.named_parameters():
        assert torch.equal(weight, text.model.get_parameter(name)), name
    assert llava.lm_head.weight is llava.model.language_model.embed_tokens.weight
    assert all(
        weight.device.type == "cpu" and weight.isfinite().all() for weight in llava.parameters()
    )
    other = starting_llava(pretrained(language, vision), seed=1)
    first = "model.multi_modal_projector.linear_1.weight"
    assert not torch.equal(llava.get_parameter(first), other.get_parameter(first))


@torch.no_grad()
def test_a_pretrained_model_runs(language, vision, batch_of):
    model = PackModel(starting_llava(pretrained(language, vision), 0), image_tokens=IMAGE_TOKENS)
    assert model(batch_of(3)).isfinite()


def test_the_vision_tower_has_no_pooling_head(language, vision):
    llava = starting_llava(pretrained(language, vision), seed=0)
    assert not any("head" in name for name, _ in llava.model.vision_tower.named_parameters())


@pytest.mark.parametrize("part", ["language", "vision"])
def test_a_missing_weight_is_named(language, vision, tmp_path, part):
    source = {"language": language, "vision": vision}[part]
    kept = load_file(source / "model.safetensors")
    endings = ("vision_model.encoder.layers.1.mlp.fc1.weight", "layers.1.mlp.up_proj.weight")
    gone = next(name for name in kept if name.endswith(endings))
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_bytes((source / "config.json").read_bytes())
    del kept[gone]
    save_file(kept, broken / "model.safetensors", metadata={"format": "pt"})
    parts = {"language": language, "vision": vision, part: broken}
    with pytest.raises(InputError, match=rf"model\.{part}: .* lacks 1 of the weights, .*layers\.1"):
        starting_llava(pretrained(**parts), seed=0)


def test_a_part_of_another_kind_is_refused(language, vision):
    with pytest.raises(InputError, match=r"model\.language: .* must be qwen3, got siglip"):
        starting_llava(pretrained(vision, vision), seed=0)
    with pytest.raises(
        InputError, match=r"model\.vision: .* must be siglip_vision_model, got qwen3"
    ):
        starting_llava(pretrained(language, language), seed=0)


def test_a_llava_folder_that_selects_other_features_is_refused(tmp_path):
    config = llava_config(ModelConfig(language=LANGUAGE, vision=VISION, weights="random"))
    config.vision_feature_layer = -1
    config.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="must be -2 and full, got -1 and full"):
        read_llava(tmp_path)


def test_a_vision_encoder_of_one_layer_is_refused():
    config = ModelConfig(language=LANGUAGE, vision={**VISION, "num_hidden_layers": 1})
    with pytest.raises(InputError, match=r"model\.vision: num_hidden_layers must be at least 2"):
        llava_config(config)
