"""A trained model as a Hugging Face folder, for transformers and other readers of such folders."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

import torch
from transformers import (
    GenerationConfig,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    SiglipImageProcessorPil,
)

from packkit.base.errors import InputError, OutputExistsError
from packkit.base.lock import FileLock
from packkit.encoding import SampleEncoder
from packkit.training.chat_templates import chat_template
from packkit.training.checkpoint_run import read_run
from packkit.training.checkpoints import find_checkpoint, read_weights
from packkit.training.model import count_features

# In the folder in the making; the export that is done has none.
_LOCK = "lock"
_DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}


def export(
    run: str | Path, out: str | Path, *, precision: Literal["bf16", "fp32"] = "bf16"
) -> Path:
    """Writes a checkpoint as ``LlavaForConditionalGeneration``: safetensors, tokenizer, processor.

    Args:
        run: Folder of a run, whose newest checkpoint is taken, or of a checkpoint.
        out: Folder to make; it must not exist.
        precision: Precision of the weights, ``bf16`` or ``fp32``.

    Returns:
        Path of the new folder.

    Raises:
        InputError: There is no checkpoint, or no class of transformers can express the model.
        CheckpointError: The weights of the checkpoint cannot be read.
        FormatError: The run.json of the checkpoint cannot be read, or is of another version.
        OutputExistsError: The folder `out` exists already.
        LockedError: Another process exports to `out`.
    """
    checkpoint, out = find_checkpoint(Path(run)), Path(out)
    if checkpoint is None:
        raise InputError(f"{run}: must be a run or a checkpoint, holds neither")
    _check_new(out)
    temporary = out.with_name(f".{out.name}.tmp")
    with FileLock(temporary / _LOCK, f"export {out}"):
        try:
            # Another export may have ended before this one came to the lock.
            _check_new(out)
            _clear(temporary)
            _write(checkpoint, temporary, precision)
            temporary.rename(out)
        except BaseException:
            shutil.rmtree(temporary)
            raise
        (out / _LOCK).unlink()
    return out


def _check_new(out: Path) -> None:
    if out.exists():
        raise OutputExistsError(out, "already exists; export makes a new folder")


def _clear(folder: Path) -> None:
    """Removes what a killed export left."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != _LOCK:
            path.unlink()


def _write(checkpoint: Path, folder: Path, precision: Literal["bf16", "fp32"]) -> None:
    """Writes weights, tokenizer and processor into a folder."""
    llava = read_weights(checkpoint)
    encoder = SampleEncoder.load(checkpoint / "encoder")
    vision = llava.config.vision_config
    features = count_features(vision)
    tokens = read_run(checkpoint)[0].image_tokens
    if tokens != features:
        raise InputError(
            f"{checkpoint}: its images take {tokens} tokens, pooled from {features}, which no "
            "class of transformers can express: LLaVA has no pool between vision encoder and "
            f"projector. A later stage with image_tokens = {features} can be exported"
        )
    llava.to(_DTYPES[precision])
    llava.generation_config = GenerationConfig(
        eos_token_id=list(encoder.end_ids), pad_token_id=encoder.end_ids[1], do_sample=False
    )
    llava.save_pretrained(folder)
    _processor(encoder, vision.image_size, vision.patch_size).save_pretrained(folder)
    # The tokenizer byte for byte, and what packkit itself needs to encode for this model.
    encoder.save(folder)


def _processor(encoder: SampleEncoder, image_size: int, patch_size: int) -> LlavaProcessor:
    end_of_turn, end_of_text = encoder.end_ids
    tokenizer = encoder.tokenizer
    return LlavaProcessor(
        SiglipImageProcessorPil(size={"height": image_size, "width": image_size}),
        PreTrainedTokenizerFast(
            tokenizer_object=tokenizer,
            eos_token=tokenizer.id_to_token(end_of_turn),
            pad_token=tokenizer.id_to_token(end_of_text),
        ),
        patch_size=patch_size,
        vision_feature_select_strategy="full",
        chat_template=chat_template(encoder.template, encoder.image_slot),
        image_token=encoder.image_slot,
    )
