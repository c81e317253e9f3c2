"""SigLIP, a pool, a projector and Qwen3: transformers' own classes, over packs.

The weights live in transformers' ``LlavaForConditionalGeneration`` from the first step, so what is
trained has the shapes and names of what is published. `PackModel` runs it over packs, and puts a
pool between vision encoder and projector where an image takes fewer tokens than it has features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration, SiglipVisionConfig

from packkit.base.errors import InputError
from packkit.base.pack_options import LARGEST_CAPACITY
from packkit.base.values import check_whole
from packkit.encoding import IGNORED
from packkit.loading import PackBatch
from packkit.training.attention import Attention, attention_inputs, choose_attention
from packkit.training.loss import row_losses
from packkit.varlen import normalize_pixels, pack_tokens, pool_image_tokens, splice_image_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """The model to train: the ``[model]`` table of a recipe.

    Attributes:
        language: Qwen3: a folder, a hub id, or the fields of a ``Qwen3Config``.
        vision: SigLIP: a folder, a hub id, or the fields of a ``SiglipVisionConfig``.
        weights: ``pretrained``: those of `language` and `vision`, and a new projector; ``random``;
            or all three of an earlier run, of one of its checkpoints, or of a folder of
            transformers' LLaVA, which bring their configs: `language` and `vision` are left out.
        image_tokens: Number of tokens that an image takes: as many as the vision encoder has
            features, or fewer, to which these are pooled.
        attention: Attention to run: ``auto``, ``varlen``, ``flex`` or ``sdpa``.
        isolate: Whether samples of a pack are kept apart.
        activation_checkpointing: Whether layers are run again backward, to save memory.
    """

    __pydantic_config__ = {"extra": "forbid", "strict": True}  # noqa: RUF012

    language: str | dict[str, Any] | None = None
    vision: str | dict[str, Any] | None = None
    weights: str = "pretrained"
    image_tokens: int = 144
    attention: Attention = "auto"
    isolate: bool = True
    activation_checkpointing: bool = False

    def __post_init__(self) -> None:
        check_whole("image_tokens", self.image_tokens, 1, LARGEST_CAPACITY)


def count_features(vision: SiglipVisionConfig) -> int:
    """Returns the number of features that a vision encoder makes of an image."""
    features: int = (vision.image_size // vision.patch_size) ** 2
    return features


class PackModel(nn.Module):
    """A vision-language model that takes packs and gives their loss.

    Args:
        llava: Model of transformers that holds the weights; its vision encoder is frozen.
        image_tokens: Number of tokens that an image takes.
        attention: Attention to run; see `ModelConfig`.
        isolate: Whether samples of a pack are kept apart.
        device: Device on which the model will run, by default where it is. The attention that
            ``auto`` chooses depends on it.
        dtype: Floating point type in which the model will run; ``auto`` depends on it too.

    Raises:
        InputError: An image has fewer features than tokens.
    """

    def __init__(
        self,
        llava: LlavaForConditionalGeneration,
        *,
        image_tokens: int,
        attention: Attention = "auto",
        isolate: bool = True,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        vision = llava.config.vision_config
        features = count_features(vision)
        if image_tokens > features:
            raise InputError(
                f"image_tokens must be at most {features}, the features that the vision encoder "
                f"makes of {vision.image_size} x {vision.image_size} pixels, got {image_tokens}"
            )
        self.llava = llava
        self.image_tokens = image_tokens
        self.isolate = isolate
        self.llava.model.vision_tower.requires_grad_(False)
        self.attention = choose_attention(attention, device or llava.device, dtype)
        self.llava.model.language_model.set_attn_implementation(self.attention)

    @property
    def image_size(self) -> int:
        """Width and height of an image, pixels."""
        size: int = self.llava.config.vision_config.image_size
        return size

    @property
    def vocab_size(self) -> int:
        """Number of ids that the embedding has rows for."""
        size: int = self.llava.config.text_config.vocab_size
        return size

    def check(self, batch: PackBatch) -> None:
        """Checks that a batch, which is still on the CPU, fits the model.

        Raises:
            InputError: An image has another number of tokens than the model gives it, pixels and
                slots differ in number, or an id has no embedding.
        """
        largest = int(batch.input_ids.max())
        if largest >= self.vocab_size:
            raise InputError(
                f"packs {batch.pack_ids.tolist()}: ids must be under {self.vocab_size}, the "
                f"vocabulary of the model, got {largest}"
            )
        tokens = batch.image_slots[:, 1]
        if len(tokens) != len(batch.pixel_values) or bool((tokens != self.image_tokens).any()):
            sizes = sorted(set(tokens.tolist()))
            raise InputError(
                f"packs {batch.pack_ids.tolist()}: every image must take {self.image_tokens} tokens"
                f", got {len(batch.pixel_values)} images with slots of {sizes} tokens"
            )

    def forward(self, batch: PackBatch) -> Tensor:
        """Returns the sum of the losses of all targets of a batch, float32 []."""
        hidden = self.hidden(batch)
        targets = pack_tokens(batch.cu_seqlens, batch.labels, batch.num_segments).targets
        # The number is known, so no device need be asked for it.
        kept = torch.nonzero_static(targets != IGNORED, size=batch.num_targets)[:, 0]
        return row_losses(hidden[kept], self.llava.lm_head.weight, targets[kept]).sum()

    def logits(self, batch: PackBatch) -> Tensor:
        """Returns the logits of all tokens of a batch, [T, V]; training never holds these."""
        logits: Tensor = self.llava.lm_head(self.hidden(batch))
        return logits

    def hidden(self, batch: PackBatch) -> Tensor:
        """Returns the last hidden states of the language model, [T, H]."""
        embedded = self.embed(batch.input_ids, batch.pixel_values, batch.image_slots)
        inputs = attention_inputs(batch, self.attention, isolate=self.isolate)
        out = self.llava.model.language_model(inputs_embeds=embedded[None], **inputs)
        hidden: Tensor = out.last_hidden_state[0]
        return hidden

    def embed(self, input_ids: Tensor, pixel_values: Tensor, image_slots: Tensor) -> Tensor:
        """Returns token embeddings with images in their slots, [T, H].

        Args:
            input_ids: int64 [T], token ids.
            pixel_values: uint8 [M, 3, S, S], images in order.
            image_slots: int32 [M, 2], first token and number of tokens of each image.
        """
        # The projector runs without images too: on many ranks all must use the same weights.
        features = self.llava.model.multi_modal_projector(self.image_features(pixel_values))
        table = self.llava.get_input_embeddings().weight
        return splice_image_tokens(input_ids, table, features, image_slots)

    @torch.no_grad()
    def image_features(self, pixel_values: Tensor) -> Tensor:
        """Returns what the second-to-last layer of the vision encoder makes of images, pooled.

        Args:
            pixel_values: uint8 [M, 3, S, S], images in order.

        Returns:
            Floating point [M, image_tokens, C], features of each image.
        """
        vision = self.llava.model.vision_tower
        weight = self.llava.model.multi_modal_projector.linear_1.weight
        if not len(pixel_values):
            none: Tensor = weight.new_empty((0, self.image_tokens, vision.config.hidden_size))
            return none
        dtype = vision.embeddings.patch_embedding.weight.dtype
        states = vision.embeddings(normalize_pixels(pixel_values, dtype))
        # The last layer is not run: the paper takes the output of the one before it.
        for layer in vision.encoder.layers[:-1]:
            states = layer(states, attention_mask=None)
        return pool_image_tokens(states, self.image_tokens).to(weight.dtype)
