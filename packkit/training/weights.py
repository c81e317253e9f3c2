"""Where the weights of a model come from: configs, pretrained parts, or a whole LLaVA folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PretrainedConfig,
    Qwen3Config,
    Qwen3ForCausalLM,
    SiglipVisionConfig,
    SiglipVisionModel,
)
from transformers.models.llava.modeling_llava import LlavaMultiModalProjector

from packkit.base.errors import FingerprintError, InputError
from packkit.base.files import read_file
from packkit.encoding import SampleEncoder
from packkit.training.checkpoints import find_checkpoint, read_weights
from packkit.training.model import ModelConfig, count_features
from packkit.training.model_folder import check_model_folder


def starting_llava(config: ModelConfig, seed: int) -> LlavaForConditionalGeneration:
    """Makes the model that a run starts with, in float32.

    Args:
        config: Model to make: the ``[model]`` table of the recipe.
        seed: Seed of new weights.

    Raises:
        InputError: Config or weights of a part cannot be read, or are of another kind.
        CheckpointError: The weights are a checkpoint that cannot be read.
    """
    if config.weights in ("random", "pretrained"):
        parts = llava_config(config)
        if config.weights == "random":
            return _random(parts, seed)
        return _pretrained(parts, config, seed)
    if config.language is not None or config.vision is not None:
        raise InputError(
            f"model.language and model.vision must be left out where model.weights is a folder, "
            f"which brings them: {config.weights}"
        )
    return read_llava(config.weights)


def llava_config(config: ModelConfig) -> LlavaConfig:
    """Puts the configs of the parts together.

    Raises:
        InputError: The config of a part cannot be read, or is of another kind.
    """
    language = _part(config.language, "model.language", Qwen3Config)
    vision = _part(config.vision, "model.vision", SiglipVisionConfig)
    # Its pooling head is never used, nor is its last layer, which LLaVA folders hold all the same.
    vision.vision_use_head = False
    if vision.num_hidden_layers < 2:
        raise InputError(
            f"model.vision: num_hidden_layers must be at least 2, got {vision.num_hidden_layers}"
        )
    return LlavaConfig(
        vision_config=vision,
        text_config=language,
        image_seq_length=count_features(vision),
        projector_hidden_act="gelu",
        vision_feature_layer=-2,
        vision_feature_select_strategy="full",
        tie_word_embeddings=language.tie_word_embeddings,
    )


def read_llava(folder: str | Path, *, key: str = "model.weights") -> LlavaForConditionalGeneration:
    """Reads a run, a checkpoint, or a folder that transformers' LLaVA can be loaded from.

    Args:
        folder: Folder of the run, checkpoint or model.
        key: Name of the option that gave the folder, for messages.

    Raises:
        InputError: The folder holds no model, another architecture, or not all weights.
        CheckpointError: The weights are a checkpoint that cannot be read.
    """
    checkpoint = find_checkpoint(Path(folder))
    if checkpoint is not None:
        return read_weights(checkpoint)
    config = _part(str(folder), key, LlavaConfig)
    kinds = config.text_config.model_type, config.vision_config.model_type
    if kinds != ("qwen3", "siglip_vision_model"):
        raise InputError(f"{folder}: must be Qwen3 and SigLIP, got {' and '.join(kinds)}")
    select = config.vision_feature_layer, config.vision_feature_select_strategy
    if select != (-2, "full"):
        raise InputError(
            f"{folder}: vision_feature_layer and vision_feature_select_strategy must be -2 and "
            f"full, got {select[0]} and {select[1]}"
        )
    return _from_pretrained(LlavaForConditionalGeneration, str(folder), key, config)


def check_tokenizer(weights: str, encoder: SampleEncoder) -> None:
    """Checks that weights were trained on the ids that packs hold, where that is on record.

    Template and number of tokens of an image may differ: stages do.

    Args:
        weights: Weights that the key ``model.weights`` of the recipe names.
        encoder: Encoder of the packs.

    Raises:
        FingerprintError: The weights were trained with another tokenizer.
    """
    checkpoint = find_checkpoint(Path(weights))
    path = (Path(weights) if checkpoint is None else checkpoint / "encoder") / "encoder.json"
    if not path.is_file():
        return
    there, here = orjson.loads(read_file(path)), encoder.describe()
    differences = [
        f"{part} is {there.get(part)!r} there, {value!r} here"
        for part, value in here.items()
        if (part.startswith("tokenizer_") or part == "image_slot_id") and there.get(part) != value
    ]
    if differences:
        raise FingerprintError(f"{weights}: trained with another tokenizer", differences)


def _random(config: LlavaConfig, seed: int) -> LlavaForConditionalGeneration:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        return LlavaForConditionalGeneration(config)


def _pretrained(
    config: LlavaConfig, model: ModelConfig, seed: int
) -> LlavaForConditionalGeneration:
    """Puts pretrained parts together with a new projector."""
    if not isinstance(model.language, str) or not isinstance(model.vision, str):
        raise InputError(
            "model.language and model.vision must be folders or hub ids where model.weights is "
            "pretrained; of fields only random weights can be made"
        )
    with torch.device("meta"):
        llava = LlavaForConditionalGeneration(config)
    text = _from_pretrained(Qwen3ForCausalLM, model.language, "model.language", config.text_config)
    llava.model.language_model, llava.lm_head = text.model, text.lm_head
    llava.model.vision_tower = _from_pretrained(
        SiglipVisionModel, model.vision, "model.vision", config.vision_config
    )
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        llava.model.multi_modal_projector = LlavaMultiModalProjector(config)
    return llava


def _part(source: str | dict[str, Any] | None, key: str, kind: type[PretrainedConfig]) -> Any:  # noqa: ANN401
    """Reads the config of a part, or makes it from its fields."""
    if source is None:
        raise InputError(f"{key} is missing")
    if isinstance(source, dict):
        allowed = kind().to_dict().keys()
        if extra := source.keys() - allowed:
            raise InputError(f"{key}: {kind.__name__} has no field {sorted(extra)[0]!r}")
        return kind(**source)
    check_model_folder(source)
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
    except (OSError, ValueError, StrictDataclassError) as error:
        raise InputError(f"{key}: cannot read a config from {source!r}: {error}") from error
    # Published SigLIP checkpoints hold both towers.
    if kind is SiglipVisionConfig and config.model_type == "siglip":
        config = config.vision_config
    if not isinstance(config, kind):
        raise InputError(f"{key}: {source!r} must be {kind.model_type}, got {config.model_type}")
    return config


def _from_pretrained(kind: Any, source: str, key: str, config: PretrainedConfig) -> Any:  # noqa: ANN401
    check_model_folder(source)
    try:
        model, report = kind.from_pretrained(
            source,
            config=config,
            dtype=torch.float32,
            # Not the pickles of pytorch_model.bin.
            use_safetensors=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        raise InputError(f"{key}: cannot read weights from {source!r}: {error}") from error
    if missing := sorted(report["missing_keys"]):
        raise InputError(
            f"{key}: {source!r} lacks {len(missing)} of the weights, {missing[0]} first"
        )
    return model
