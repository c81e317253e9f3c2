"""The whole block-diagonal causal mask, written once, for attention that takes no other."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from packkit_kernels.varlen.options import EXACT
from packkit_kernels.varlen.search import search_steps, segment_at

_ROWS, _COLUMNS = 16, 128


@triton.jit(do_not_specialize=["segments", "steps"])
def dense_mask_kernel(
    cu_seqlens,
    mask,
    segments,
    steps,
    total,
    closed,
    IS_BOOL: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Writes one tile of the mask a program.

    Args:
        cu_seqlens: Pointer to int32 [N+1], where each segment begins; the last entry is T.
        mask: Pointer to bool or floating point [T, T], written: queries by keys.
        segments: Number of segments, N.
        steps: Loads of the search, `search_steps(segments)`.
        total: Number of tokens, T.
        closed: Float that is written where a query does not see a key; unused where IS_BOOL.
        IS_BOOL: Whether the mask is bool.
        ROWS: Queries of a tile, a power of two.
        COLUMNS: Keys of a tile, a power of two.
    """
    queries = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    keys = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    segment = segment_at(cu_seqlens, segments, steps, queries)
    start = tl.load(cu_seqlens + segment)
    sees = (keys[None, :] <= queries[:, None]) & (keys[None, :] >= start[:, None])
    place = queries[:, None].to(tl.int64) * total + keys[None, :]
    inside = (queries[:, None] < total) & (keys[None, :] < total)
    if IS_BOOL:
        tl.store(mask + place, sees, mask=inside)
    else:
        tl.store(mask + place, tl.where(sees, 0.0, closed), mask=inside)


def dense_mask(cu_seqlens: Tensor, total: int, dtype: torch.dtype) -> Tensor:
    """Launches the kernel; see `packkit_kernels.reference.dense_mask`."""
    segments = cu_seqlens.numel() - 1
    mask = torch.empty((total, total), dtype=dtype, device=cu_seqlens.device)
    is_bool = dtype == torch.bool
    dense_mask_kernel[(triton.cdiv(total, _ROWS), triton.cdiv(total, _COLUMNS))](
        cu_seqlens,
        mask,
        segments,
        search_steps(segments),
        total,
        0.0 if is_bool else torch.finfo(dtype).min,
        IS_BOOL=is_bool,
        ROWS=_ROWS,
        COLUMNS=_COLUMNS,
        **EXACT,
    )
    return mask
