"""Position, segment and target of every token, and the number of targets, in one launch."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from packkit_kernels.varlen.options import EXACT
from packkit_kernels.varlen.search import search_steps, segment_at

_IGNORED = tl.constexpr(-100)
# Small enough for the 16 to 32 programs of one pack of 4,096 to spread over a GPU.
_BLOCK = 256


@triton.jit(do_not_specialize=["segments", "real_segments", "steps", "total"])
def pack_tokens_kernel(
    cu_seqlens,
    labels,
    position_ids,
    segment_ids,
    targets,
    num_targets,
    segments,
    real_segments,
    steps,
    total,
    BLOCK: tl.constexpr,
):
    """Writes position, segment and target of one block of tokens a program.

    Args:
        cu_seqlens: Pointer to int32 [N+1], where each segment begins; the last entry is T.
        labels: Pointer to int64 [T], unshifted; -100 where a token is not trained.
        position_ids: Pointer to int64 [T], written: place of each token in its segment.
        segment_ids: Pointer to int32 [T], written: 1 for the first sample; 0 in padding.
        targets: Pointer to int64 [T], written: label of the next token of the segment, or -100.
        num_targets: Pointer to int64 [], added to: targets that are trained.
        segments: Number of segments, N.
        real_segments: Number of segments, from the first, that are samples and not padding.
        steps: Loads of the search, `search_steps(segments)`.
        total: Number of tokens, T.
        BLOCK: Tokens of a program, a power of two.
    """
    tokens = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    is_token = tokens < total
    segment = segment_at(cu_seqlens, segments, steps, tokens)
    start = tl.load(cu_seqlens + segment)
    end = tl.load(cu_seqlens + segment + 1)
    tl.store(position_ids + tokens, (tokens - start).to(tl.int64), mask=is_token)
    number = tl.where(segment < real_segments, segment + 1, 0)
    tl.store(segment_ids + tokens, number, mask=is_token)
    has_next = is_token & (tokens + 1 < end)
    target = tl.load(labels + tokens + 1, mask=has_next, other=_IGNORED)
    tl.store(targets + tokens, target, mask=is_token)
    # Whole numbers: the order in which programs add them does not matter.
    tl.atomic_add(num_targets, tl.sum((target != _IGNORED).to(tl.int64)))


def pack_tokens(
    cu_seqlens: Tensor, labels: Tensor, num_segments: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Launches the kernel; see `packkit_kernels.reference.pack_tokens`."""
    total, segments = labels.numel(), cu_seqlens.numel() - 1
    position_ids, targets = torch.empty_like(labels), torch.empty_like(labels)
    segment_ids = torch.empty_like(labels, dtype=torch.int32)
    num_targets = torch.zeros((), dtype=torch.int64, device=labels.device)
    pack_tokens_kernel[(triton.cdiv(total, _BLOCK),)](
        cu_seqlens,
        labels,
        position_ids,
        segment_ids,
        targets,
        num_targets,
        segments,
        num_segments,
        search_steps(segments),
        total,
        BLOCK=_BLOCK,
        **EXACT,
    )
    return position_ids, segment_ids, targets, num_targets
