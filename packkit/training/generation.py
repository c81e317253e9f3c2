"""Text from a trained model: what it says of an image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

import torch
from transformers import LlavaForConditionalGeneration

from packkit.encoding import SampleEncoder
from packkit.errors import FormatError
from packkit.pixels import PixelDecoder
from packkit.schema import Message, Sample
from packkit.tokenizer import TextTokenizer
from packkit.training.checkpoints import find_checkpoint, read_info, read_weights
from packkit.training.model import PackModel, count_features
from packkit.training.weights import read_llava

__all__ = ["Generator"]


class Generator:
    """A trained model that goes on with what it is given, always with the likeliest token.

    Args:
        model: the model.
        encoder: what turns a prompt into ids.
    """

    def __init__(self, model: PackModel, encoder: SampleEncoder) -> None:
        self._model = model.eval()
        self._encoder = encoder
        self._decoder = PixelDecoder("pillow", model.image_size)
        # Prompts come one by one, with a cache: transformers' own case.
        model.llava.set_attn_implementation("sdpa")

    @classmethod
    def load(cls, path: str | Path, *, device: Literal["auto", "cpu", "cuda"] = "auto") -> Self:
        """Loads a run, a checkpoint, or a folder of transformers' LLaVA.

        Raises:
            InputError: there is none.
            CheckpointError: it cannot be read.
        """
        is_cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
        llava, encoder, tokens = _read(Path(path))
        model = PackModel(llava, image_tokens=tokens)
        return cls(model.to("cuda", torch.bfloat16) if is_cuda else model, encoder)

    @torch.no_grad()
    def generate(
        self,
        prompt: str | None = None,
        images: Sequence[bytes] = (),
        *,
        max_new_tokens: int = 512,
    ) -> str:
        """Returns what the model answers to a prompt, or, without one, writes of images.

        Args:
            prompt: what the user says, after the images; None: a document is to be gone on with
                that begins with the images, as captions are.
            images: encoded images.
            max_new_tokens: where it ends at the latest.

        Raises:
            SampleError: an image cannot be decoded, or the prompt is not valid UTF-8.
        """
        parts = (*[None] * len(images), *([] if prompt is None else [prompt]))
        sample = (
            Sample(images=tuple(images), content=parts)
            if prompt is None
            else Sample(images=tuple(images), messages=(Message("user", parts),))
        )
        encoded = self._encoder.encode_prompt(sample)
        device = self._model.llava.device
        embedded = self._model.embed(
            torch.from_numpy(encoded.input_ids.astype("int64")).to(device),
            self._pixels(images).to(device),
            torch.from_numpy(encoded.image_slots).to(device),
        )
        end_of_turn, end_of_text = self._encoder.end_ids
        written = self._model.llava.generate(
            inputs_embeds=embedded[None],
            attention_mask=torch.ones(1, len(embedded), dtype=torch.int64, device=device),
            max_new_tokens=max_new_tokens,
            do_sample=False,
            eos_token_id=[end_of_turn, end_of_text],
            pad_token_id=end_of_text,
        )
        return self._encoder.decode(written[0].tolist())

    def _pixels(self, images: Sequence[bytes]) -> torch.Tensor:
        size = self._model.image_size
        pixels = torch.empty(len(images), 3, size, size, dtype=torch.uint8)
        for number, image in enumerate(images):
            self._decoder.decode_into(image, pixels[number].numpy())
        return pixels


def _read(path: Path) -> tuple[LlavaForConditionalGeneration, SampleEncoder, int]:
    """Returns weights, encoder, and the tokens an image takes."""
    checkpoint = find_checkpoint(path)
    if checkpoint is not None:
        tokens = read_info(checkpoint).image_tokens
        return read_weights(checkpoint), SampleEncoder.load(checkpoint / "encoder"), tokens
    llava = read_llava(path, key="model")
    tokens = count_features(llava.config.vision_config)
    return llava, _encoder_of(path, llava, tokens), tokens


def _encoder_of(path: Path, llava: LlavaForConditionalGeneration, tokens: int) -> SampleEncoder:
    """Returns the encoder saved in a folder, or, in one that others wrote, Qwen3's."""
    if (path / "encoder.json").exists():
        return SampleEncoder.load(path)
    tokenizer = path / "tokenizer.json"
    if not tokenizer.exists():
        raise FormatError(tokenizer, "is missing: without it no prompt can be encoded")
    added = TextTokenizer.read(tokenizer).added_tokens
    slots = [token for token, number in added.items() if number == llava.config.image_token_id]
    if not slots:
        raise FormatError(tokenizer, f"has no image token {llava.config.image_token_id}")
    (slot,) = slots
    return SampleEncoder(tokenizer, image_tokens=tokens, image_slot=slot)
