"""What a step holds: tokens, targets, images and arithmetic, over all ranks."""

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
    """Sums over the batches of all ranks.

    Attributes:
        targets: Tokens that are trained.
        tokens: Tokens of samples, without padding.
        images: Images.
        capacity: Tokens that the packs could hold; fillers are none.
        flops: Floating point operations of the model.
        peak: FLOP/s of all devices, or None where it is not known.
        data_seconds: What ranks waited for data, on average.
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
    """Counts what a step holds; all ranks must call it.

    Args:
        batches: Batches of this rank, still on the CPU.
        config: Config of the model.
        image_tokens: Tokens an image takes.
        capacity: Tokens that a pack can hold.
        waited: What this rank waited for them, seconds.
        ranks: The processes.
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
