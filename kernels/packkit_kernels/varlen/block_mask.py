"""The blocks of a block-diagonal causal mask, straight from where segments begin.

For a block of queries the touched blocks of keys are a contiguous range that ends at the diagonal,
and the full ones a contiguous range inside it; the same holds for columns. So each of the eight
tensors of a FlexAttention BlockMask is, row by row, two ranges followed by all that is in neither:
nothing of size tokens x tokens is ever made. `packkit_kernels.reference.block_ranges` derives the
bounds.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from packkit_kernels.varlen.options import EXACT
from packkit_kernels.varlen.search import search_steps, segment_at

_CHUNK = 128


@triton.jit
def _store_ordered(counts, indices, kind, row, blocks, a0, a1, b0, b1, CHUNK: tl.constexpr):
    """Stores blocks of [a0, a1) and [b0, b1), a1 <= b0, then all others, in rising order.

    Args:
        counts: Pointer to int32 [4, B], written: blocks of both ranges.
        indices: Pointer to int32 [4, B, B], written: all blocks in the order stored.
        kind: Number of the set of blocks, 0..3.
        row: Number of the row in its set, 0..B-1.
        blocks: Number of blocks along the tokens, B.
        a0: Int32, first block of the first range.
        a1: Int32, end of the first range.
        b0: Int32, first block of the second range.
        b1: Int32, end of the second range.
        CHUNK: Blocks stored at once, a power of two.
    """
    first, both = a1 - a0, (a1 - a0) + (b1 - b0)
    line = kind * blocks + row
    tl.store(counts + line, both)
    for begin in range(0, blocks, CHUNK):
        place = begin + tl.arange(0, CHUNK)
        # The others: those before a0, those between the ranges, those after b1.
        rest = place - both
        other = tl.where(rest < a0, rest, tl.where(rest < a0 + b0 - a1, rest + first, place))
        inside = tl.where(place < first, a0 + place, b0 + place - first)
        block = tl.where(place < both, inside, other)
        tl.store(indices + line.to(tl.int64) * blocks + place, block, mask=place < blocks)


@triton.jit(do_not_specialize=["segments", "steps", "total"])
def block_ranges_kernel(
    cu_seqlens,
    counts,
    indices,
    position_ids,
    segments,
    steps,
    total,
    blocks,
    BLOCK_SIZE: tl.constexpr,
    CHUNK: tl.constexpr,
):
    """Writes the blocks and positions of one row of blocks a program.

    Args:
        cu_seqlens: Pointer to int32 [N+1], where each segment begins; the last entry is T.
        counts: Pointer to int32 [4, B], written: blocks of each set in each row.
        indices: Pointer to int32 [4, B, B], written: blocks of each row, those of the set first.
        position_ids: Pointer to int32 [T], written: place of each token in its segment.
        segments: Number of segments, N.
        steps: Loads of the search, `search_steps(segments)`.
        total: Number of tokens, T.
        blocks: Number of blocks along the tokens, B.
        BLOCK_SIZE: Tokens of a block.
        CHUNK: Tokens or blocks handled at once, a power of two.
    """
    block = tl.program_id(0)
    first = block * BLOCK_SIZE
    last = tl.minimum(first + BLOCK_SIZE, total) - 1
    for begin in range(0, BLOCK_SIZE, CHUNK):
        tokens = first + begin + tl.arange(0, CHUNK)
        segment = segment_at(cu_seqlens, segments, steps, tokens)
        is_token = (tokens <= last) & (begin + tl.arange(0, CHUNK) < BLOCK_SIZE)
        start = tl.load(cu_seqlens + segment)
        tl.store(position_ids + tokens, tokens - start, mask=is_token)
    segment_first = segment_at(cu_seqlens, segments, steps, first)
    segment_last = segment_at(cu_seqlens, segments, steps, last)
    start_first = tl.load(cu_seqlens + segment_first)
    end_first = tl.load(cu_seqlens + segment_first + 1)
    start_last = tl.load(cu_seqlens + segment_last)
    end_last = tl.load(cu_seqlens + segment_last + 1)
    touched = start_first // BLOCK_SIZE
    is_whole = first + BLOCK_SIZE <= total
    full = tl.where(is_whole, tl.minimum(tl.cdiv(start_last, BLOCK_SIZE), block), block)
    _store_ordered(counts, indices, 0, block, blocks, touched, full, block, block + 1, CHUNK)
    _store_ordered(counts, indices, 1, block, blocks, full, block, block, block, CHUNK)
    after_full = tl.maximum(end_first // BLOCK_SIZE, block + 1)
    after_touched = (end_last - 1) // BLOCK_SIZE + 1
    _store_ordered(
        counts, indices, 2, block, blocks, block, block + 1, after_full, after_touched, CHUNK
    )
    _store_ordered(
        counts, indices, 3, block, blocks, block + 1, after_full, after_full, after_full, CHUNK
    )


def block_ranges(cu_seqlens: Tensor, total: int, block_size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Launches the kernel; see `packkit_kernels.reference.block_ranges`."""
    blocks, segments = triton.cdiv(total, block_size), cu_seqlens.numel() - 1
    counts = torch.empty((4, blocks), dtype=torch.int32, device=cu_seqlens.device)
    indices = torch.empty((4, blocks, blocks), dtype=torch.int32, device=cu_seqlens.device)
    position_ids = torch.empty(total, dtype=torch.int32, device=cu_seqlens.device)
    block_ranges_kernel[(blocks,)](
        cu_seqlens,
        counts,
        indices,
        position_ids,
        segments,
        search_steps(segments),
        total,
        blocks,
        BLOCK_SIZE=block_size,
        CHUNK=_CHUNK,
        **EXACT,
    )
    return counts, indices, position_ids
