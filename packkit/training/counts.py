"""Counts of a step over all ranks: tokens, targets, images and arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import LlavaConfig

from packkit.loading import FILLER, PackBatch
from packkit.training.flops import batch_flops, peak_flops
from packkit.training.metrics import StepMetrics
from packkit.training.parallel import Ranks


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCounts:
    """Counts of a step, summed over the batches of all ranks.

    Attributes:
        targets: Number of tokens that the loss is taken of.
        tokens: Number of tokens of samples, without padding.
        images: Number of images.
        capacity: Number of tokens that the packs could hold; fillers do not count.
        flops: Number of floating point operations of the model.
        peak: FLOP/s of all devices, or None where it is not known.
        data_seconds: Seconds that a rank waited for data, mean over the ranks.
    """

    targets: int
    tokens: int
    images: int
    capacity: int
    flops: float
    peak: float | None
    data_seconds: float

    def metrics(
        self, *, step: int, epoch: int, loss: float, lr: float, grad_norm: float, seconds: float
    ) -> StepMetrics:
        """Returns a line of metrics; see `StepMetrics`."""
        return StepMetrics(
            step=step,
            epoch=epoch,
            loss=loss,
            lr=lr,
            grad_norm=grad_norm,
            tokens=self.tokens,
            targets=self.targets,
            images=self.images,
            efficiency=self.tokens / max(self.capacity, 1),
            seconds=seconds,
            data_seconds=self.data_seconds,
            tokens_per_second=self.tokens / seconds,
            targets_per_second=self.targets / seconds,
            images_per_second=self.images / seconds,
            mfu=None if self.peak is None else self.flops / (self.peak * seconds),
        )


def count_step(
    batches: Sequence[PackBatch],
    config: LlavaConfig,
    *,
    image_tokens: int,
    capacity: int,
    waited: float,
    ranks: Ranks,
) -> StepCounts:
    """Counts the tokens, images and operations of a step; all ranks must call it.

    Args:
        batches: Batches of this rank, still on the CPU.
        config: Config of the model.
        image_tokens: Number of tokens that an image takes.
        capacity: Number of tokens that a pack can hold.
        waited: Seconds that this rank waited for its batches.
        ranks: Processes of the run.
    """
    counted = (
        sum(batch.num_targets for batch in batches),
        sum(int(batch.cu_seqlens[batch.num_segments]) for batch in batches),
        sum(len(batch.pixel_values) for batch in batches),
        capacity * sum(int((batch.pack_ids != FILLER).sum()) for batch in batches),
        sum(batch_flops(config, batch, image_tokens) for batch in batches),
        waited,
    )
    targets, tokens, images, room, flops, seconds = ranks.sum(counted)
    return StepCounts(
        targets=int(targets),
        tokens=int(tokens),
        images=int(images),
        capacity=int(room),
        flops=flops,
        peak=_peak(ranks),
        data_seconds=seconds / ranks.world_size,
    )


def _peak(ranks: Ranks) -> float | None:
    if ranks.device.type == "cpu":
        return None
    peak = peak_flops(torch.cuda.get_device_name(ranks.device))
    return None if peak is None else peak * ranks.world_size
