"""What a step of training takes: packs flattened on one token axis."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

FILLER = -1
"""Id of a pack that holds nothing; it fills a step up at the end of an epoch."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackBatch:
    """The packs of one step of one rank, end to end. T tokens, N segments, M images.

    Segments are the samples in order, then padding, if any. Padding is one segment, or several
    where a fixed `max_seqlen` allows no longer one: its tokens have segment id 0 and no label, and
    `cu_seqlens` counts it, so that its last entry is always T. T is at least 1.

    Attributes:
        input_ids: int64 [T], token ids; 0 in padding.
        labels: int64 [T], unshifted; -100 where a token is not trained, as in padding, on image
            slots and at every segment's first token.
        position_ids: int64 [T], from 0 in every segment.
        segment_ids: int32 [T], 1 for the first sample, 2 for the next; 0 in padding.
        cu_seqlens: int32 [N+1], where each segment begins; the last entry is T.
        max_seqlen: Tokens of the longest segment, or the fixed number asked for.
        pixel_values: uint8 [M, 3, S, S], RGB, not normalised.
        image_slots: int32 [M, 2], first token and number of tokens of each image.
        pack_ids: int64 [packs], in order; -1 for a pack that fills the step up.
        num_segments: Samples in the batch; padding does not count.
        num_targets: Labels that are trained.
        masked: A line for each sample that is ignored because an image of it cannot be decoded.
        epoch: Epoch of the step; None where no sampler made it.
        step: Number of the step in its epoch.
        position: Places of the epoch's order that were consumed before the step.
        state: State of the loader once this batch is consumed; see `PackLoader.state_dict`.
    """

    input_ids: Tensor
    labels: Tensor
    position_ids: Tensor
    segment_ids: Tensor
    cu_seqlens: Tensor
    max_seqlen: int
    pixel_values: Tensor
    image_slots: Tensor
    pack_ids: Tensor
    num_segments: int
    num_targets: int
    masked: tuple[str, ...] = ()
    epoch: int | None = None
    step: int | None = None
    position: int | None = None
    state: dict[str, Any] | None = None

    @property
    def tokens(self) -> int:
        """Tokens of the batch, padding included, T."""
        return len(self.input_ids)

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Self:
        """Returns the batch with its tensors on a device."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Self:
        """Returns the batch in page-locked memory, from which copies to a GPU can overlap."""
        return self._map(Tensor.pin_memory)

    def _map(self, function: Callable[[Tensor], Tensor]) -> Self:
        tensors: dict[str, Any] = {
            field.name: function(value)
            for field in dataclasses.fields(self)
            if isinstance(value := getattr(self, field.name), Tensor)
        }
        return dataclasses.replace(self, **tensors)
