"""Text that a trained model generates for prompts with images."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import LlavaForConditionalGeneration

from packkit.base.errors import FormatError
from packkit.base.pack_options import LARGEST_CAPACITY
from packkit.base.values import check_whole
from packkit.encoding import SampleEncoder
from packkit.encoding.tokenizer import TextTokenizer
from packkit.images.pixels import PixelDecoder
from packkit.samples import Message, Sample
from packkit.training.checkpoint_run import read_run
from packkit.training.checkpoints import find_checkpoint, read_weights
from packkit.training.model import PackModel, count_features
from packkit.training.weights import read_llava


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """A prompt as the model takes it.

    Attributes:
        input_ids: int32 [L], token ids of the prompt.
        image_slots: int32 [M, 2], first token and number of tokens of each image.
        pixels: uint8 [M, 3, S, S], images of the prompt.
    """

    input_ids: npt.NDArray[np.int32]
    image_slots: npt.NDArray[np.int32]
    pixels: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Written:
    """Text that a model generated.

    Attributes:
        text: Generated text, without special tokens.
        tokens: Number of generated tokens, with the one that ended the text.
        is_cut: Whether the limit of tokens was reached before the text ended.
    """

    text: str
    tokens: int
    is_cut: bool

    @classmethod
    def read(
        cls, ids: Sequence[int], end_ids: Collection[int], decode: Callable[[Sequence[int]], str]
    ) -> Self:
        """Reads a row of ids, which is padding after the first that ends it.

        Args:
            ids: Generated ids of the row, without its prompt.
            end_ids: Ids of the tokens that end a text.
            decode: Function that returns the text of ids, without special tokens.
        """
        end = next((place for place, token in enumerate(ids) if token in end_ids), None)
        kept = ids if end is None else ids[: end + 1]
        return cls(decode(kept), len(kept), is_cut=end is None)


class Generator:
    """A trained model that continues prompts, always with the most probable token.

    Args:
        model: Model that generates.
        encoder: Encoder that turns prompts into ids.
    """

    def __init__(self, model: PackModel, encoder: SampleEncoder) -> None:
        self._model = model.eval()
        self._encoder = encoder
        self._decoder = PixelDecoder("pillow", model.image_size)
        # Rows with padding and a cache: transformers' own case.
        model.llava.set_attn_implementation("sdpa")

    @classmethod
    def load(cls, path: str | Path, *, device: Literal["auto", "cpu", "cuda"] = "auto") -> Self:
        """Loads a run, a checkpoint, or a folder of transformers' LLaVA.

        Raises:
            InputError: The path holds no such model.
            CheckpointError: The path is a checkpoint that cannot be read.
        """
        is_cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
        llava, encoder, tokens = _read(Path(path))
        model = PackModel(llava, image_tokens=tokens)
        return cls(model.to("cuda", torch.bfloat16) if is_cuda else model, encoder)

    def generate(
        self,
        prompt: str | None = None,
        images: Sequence[bytes] = (),
        *,
        max_new_tokens: int = 512,
    ) -> str:
        """Returns the model's answer to a prompt, or, without a prompt, its text about the images.

        Args:
            prompt: Text of the user, or None; see `encode`.
            images: Bytes of the image files.
            max_new_tokens: Number of tokens after which the text is cut.

        Raises:
            SampleError: An image cannot be decoded, or the prompt is not valid UTF-8.
        """
        encoded = self.encode(prompt, images)
        (written,) = self.generate_batch([encoded], max_new_tokens=max_new_tokens)
        return written.text

    def encode(self, prompt: str | None = None, images: Sequence[bytes] = ()) -> Prompt:
        """Encodes a prompt for `generate_batch`.

        Args:
            prompt: Text of the user, which comes after the images. None continues a document that
                begins with the images, as captions are trained.
            images: Bytes of the image files.

        Raises:
            SampleError: An image cannot be decoded, or the prompt is not valid UTF-8.
        """
        parts = (*[None] * len(images), *([] if prompt is None else [prompt]))
        sample = (
            Sample(images=tuple(images), content=parts)
            if prompt is None
            else Sample(images=tuple(images), messages=(Message("user", parts),))
        )
        encoded = self._encoder.encode_prompt(sample)
        size = self._model.image_size
        pixels = np.empty((len(images), 3, size, size), np.uint8)
        for image, out in zip(images, pixels, strict=True):
            self._decoder.decode_into(image, out)
        return Prompt(encoded.input_ids, encoded.image_slots, pixels)

    @torch.no_grad()
    def generate_batch(self, prompts: Sequence[Prompt], *, max_new_tokens: int) -> list[Written]:
        """Generates the texts of several prompts at once.

        In float32 each text is the one that its prompt gets alone. In bfloat16 the batch decides
        how products are rounded, and so, now and then, which of two tokens is the more probable.
        Prompts of similar length waste least on padding.

        Args:
            prompts: Prompts to continue, at least one, with any number of images each.
            max_new_tokens: Number of tokens after which a text is cut.
        """
        check_whole("max_new_tokens", max_new_tokens, 1, LARGEST_CAPACITY)
        embedded, mask = self._embed(prompts)
        end_ids = self._encoder.end_ids
        ids = self._model.llava.generate(
            inputs_embeds=embedded,
            # Positions follow from it: each row's first token is at 0.
            attention_mask=mask,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            eos_token_id=list(end_ids),
            pad_token_id=end_ids[1],
        )
        return [Written.read(row, end_ids, self._encoder.decode) for row in ids.tolist()]

    def _embed(self, prompts: Sequence[Prompt]) -> tuple[Tensor, Tensor]:
        """Returns the embeddings of prompts in rows, padded on the left, and where they stand."""
        device = self._model.llava.device
        lengths = np.array([len(prompt.input_ids) for prompt in prompts])
        starts = np.cumsum(lengths) - lengths
        slots = [
            prompt.image_slots + np.array([start, 0], np.int32)
            for prompt, start in zip(prompts, starts, strict=True)
        ]
        ids = np.concatenate([prompt.input_ids for prompt in prompts]).astype(np.int64)
        tokens = self._model.embed(
            torch.from_numpy(ids).to(device),
            torch.from_numpy(np.concatenate([prompt.pixels for prompt in prompts])).to(device),
            torch.from_numpy(np.concatenate(slots).astype(np.int32)).to(device),
        )
        width = lengths.max()
        mask = torch.from_numpy(np.arange(width) >= (width - lengths)[:, None]).to(device)
        rows = tokens.new_zeros(*mask.shape, tokens.shape[1])
        rows[mask] = tokens
        return rows, mask.long()


def _read(path: Path) -> tuple[LlavaForConditionalGeneration, SampleEncoder, int]:
    """Returns weights, encoder, and the tokens an image takes."""
    checkpoint = find_checkpoint(path)
    if checkpoint is not None:
        tokens = read_run(checkpoint)[0].image_tokens
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
