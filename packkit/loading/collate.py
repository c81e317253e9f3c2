"""From packs to a batch: tokens end to end, positions and segments from their lengths.

Plain array operations over the tokens, a fraction of a millisecond a pack. Pixels are moved once:
`collate_packs` joins those of packs that were loaded apart; `PackLoader` decodes straight into
those of the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Unpack

import numpy as np
import torch
from numpy.typing import NDArray

from packkit.base.errors import InputError
from packkit.encoding import IGNORED
from packkit.loading.batch import PackBatch
from packkit.loading.options import BatchKeywords, BatchOptions, resolve_options
from packkit.loading.step_items import StepItems
from packkit.varlen import normalize_pixels


@dataclass(frozen=True, slots=True, eq=False)
class PackTokens:
    """A pack as ids.

    Attributes:
        pack_id: Number of the pack, or -1 for a filler, which holds nothing.
        input_ids: int32 [L], token ids.
        labels: int32 [L], unshifted; -100 where a token is not trained.
        lengths: int64 [samples], tokens of each sample.
        image_slots: int32 [M, 2], first token in the pack and number of tokens of each image.
    """

    pack_id: int
    input_ids: NDArray[np.int32]
    labels: NDArray[np.int32]
    lengths: NDArray[np.int64]
    image_slots: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Masked:
    """A sample that is ignored because an image of it cannot be decoded.

    Attributes:
        sample: Number of the sample in the pack.
        reason: Place and fault, as an error would say it.
    """

    sample: int
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class LoadedPack:
    """A pack ready to be collated.

    Attributes:
        tokens: Ids of the pack.
        pixel_values: uint8 [M, 3, S, S].
        masked: Samples to ignore.
    """

    tokens: PackTokens
    pixel_values: NDArray[np.uint8]
    masked: tuple[Masked, ...] = ()


def collate_packs(
    packs: Sequence[LoadedPack],
    options: BatchOptions | None = None,
    **keywords: Unpack[BatchKeywords],
) -> PackBatch:
    """Joins packs to a batch; the ``collate_fn`` of a DataLoader over a `PackDataset`.

    Args:
        packs: Packs that the dataset gave, at least one. Those of a step of `PackSampler` say which
            step it is, and so does the batch.
        options: Options, see `BatchOptions`; they may be given as keywords, too.

    Raises:
        InputError: A sample is longer than `max_seqlen`, or an option is not legal.
    """
    batch = flatten(
        [pack.tokens for pack in packs],
        np.concatenate([pack.pixel_values for pack in packs]),
        [pack.masked for pack in packs],
        resolve_options(BatchOptions, options, {**keywords}),
    )
    if not isinstance(packs, StepItems):
        return batch
    return replace(batch, **packs.start._asdict(), state=packs.state)


def collate_for_transformers(
    packs: Sequence[LoadedPack],
    *,
    pixel_dtype: torch.dtype = torch.float32,
    targets_only: bool = False,
) -> dict[str, Any]:
    """Joins packs to the inputs of a text-image model of transformers; for its ``Trainer``.

    One row of tokens; positions begin anew in every sample, and neither a mask nor a cache is
    given: that is how transformers' attention learns where samples end, and attends within them
    alone. (With any two-dimensional mask, or a cache, it would let them see each other.)

    Args:
        packs: Packs that the dataset gave.
        pixel_dtype: Type of the pixels, which are normalised as SigLIP takes them; see
            `packkit.varlen.normalize_pixels`.
        targets_only: Whether the model is asked for logits only where a label is trained, which
            gives the same loss: all those of 4,096 tokens of Qwen3 take 2.5 GB in float32.

    Returns:
        ``input_ids``, ``labels`` and ``position_ids`` int64 [1, T]; ``pixel_values`` [M, 3, S, S],
        left out where there is no image; ``use_cache`` False. With `targets_only` also
        ``logits_to_keep`` int64 [K], the tokens before those that are trained, and
        ``shift_labels`` int64 [1, K], what they predict.
    """
    batch = collate_packs(packs)
    inputs: dict[str, Any] = {
        "input_ids": batch.input_ids[None],
        "labels": batch.labels[None],
        "position_ids": batch.position_ids[None],
        "use_cache": False,
    }
    if len(batch.pixel_values):
        inputs["pixel_values"] = normalize_pixels(batch.pixel_values, pixel_dtype)
    if targets_only:
        # The first label, which comes last, is ignored, as that of every sample.
        shifted = batch.labels.roll(-1)
        kept = (shifted != IGNORED).nonzero()[:, 0]
        inputs |= {"logits_to_keep": kept, "shift_labels": shifted[None, kept]}
    return inputs


def flatten(
    packs: Sequence[PackTokens],
    pixels: NDArray[np.uint8],
    masked: Sequence[Sequence[Masked]],
    options: BatchOptions = BatchOptions(),  # noqa: B008
) -> PackBatch:
    """Makes a batch of packs whose pixels already stand together.

    Args:
        packs: Packs to join, at least one.
        pixels: uint8 [M, 3, S, S], the images of the packs in order.
        masked: Samples to ignore, for each pack.
        options: How the packs are joined.

    Raises:
        InputError: A sample is longer than `max_seqlen`, or an option is not legal.
    """
    *starts, used = np.cumsum([0, *(len(pack.input_ids) for pack in packs)]).tolist()
    lengths = np.concatenate([pack.lengths for pack in packs])
    padding = _padding(used, options)
    segments = np.concatenate([lengths, padding])
    total = int(segments.sum())
    input_ids = np.zeros(total, np.int64)
    labels = np.full(total, IGNORED, np.int64)
    input_ids[:used] = np.concatenate([pack.input_ids for pack in packs])
    labels[:used] = np.concatenate([pack.labels for pack in packs])
    for pack, start, ignored in zip(packs, starts, masked, strict=True):
        _ignore(labels[start:], pack.lengths, ignored)
    cu_seqlens = np.concatenate([[0], np.cumsum(segments)])
    segment_ids = np.concatenate([np.arange(1, len(lengths) + 1), np.zeros(len(padding), np.int64)])
    slots = [
        pack.image_slots + np.array([start, 0], np.int32)
        for pack, start in zip(packs, starts, strict=True)
    ]
    return PackBatch(
        input_ids=torch.from_numpy(input_ids),
        labels=torch.from_numpy(labels),
        position_ids=torch.from_numpy(np.arange(total) - np.repeat(cu_seqlens[:-1], segments)),
        segment_ids=torch.from_numpy(np.repeat(segment_ids.astype(np.int32), segments)),
        cu_seqlens=torch.from_numpy(cu_seqlens.astype(np.int32)),
        max_seqlen=_max_seqlen(segments, options.max_seqlen),
        pixel_values=torch.from_numpy(pixels),
        image_slots=torch.from_numpy(np.concatenate(slots).astype(np.int32)),
        pack_ids=torch.tensor([pack.pack_id for pack in packs], dtype=torch.int64),
        num_segments=len(lengths),
        num_targets=int(np.count_nonzero(labels != IGNORED)),
        masked=tuple(reason for of_pack in masked for reason in _reasons(of_pack)),
    )


def _padding(used: int, options: BatchOptions) -> NDArray[np.int64]:
    """Returns the lengths of the segments of padding."""
    multiple = options.pad_to_multiple_of
    # At least one token, for a batch of fillers alone.
    padding = max(-used % (multiple or 1), 0 if used else multiple or 1)
    longest = options.max_seqlen or max(padding, 1)
    whole, rest = divmod(padding, longest)
    return np.array([longest] * whole + [rest] * bool(rest), np.int64)


def _ignore(
    labels: NDArray[np.int64], lengths: NDArray[np.int64], masked: Sequence[Masked]
) -> None:
    """Takes the labels of masked samples away; `labels` begins with those of their pack."""
    ends = np.cumsum(lengths)
    for ignored in masked:
        end = ends[ignored.sample]
        labels[end - lengths[ignored.sample] : end] = IGNORED


def _reasons(masked: Sequence[Masked]) -> list[str]:
    """Returns a line for each sample, also where several of its images are bad."""
    reasons: dict[int, str] = {}
    for ignored in masked:
        reasons.setdefault(ignored.sample, ignored.reason)
    return list(reasons.values())


def _max_seqlen(segments: NDArray[np.int64], fixed: int | None) -> int:
    longest = int(segments.max())
    if fixed is None:
        return longest
    if longest > fixed:
        raise InputError(f"max_seqlen is fixed at {fixed} tokens, a sample has {longest}")
    return fixed
