"""Which segment a token lies in: a binary search that kernels share."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def segment_at(starts, segments, steps, tokens):
    """Returns the last segment that starts at or before each token; 0 where none does.

    Bit by bit from the highest: `steps` loads a token, whatever the number of segments. Of segments
    that start at the same token, which all but the last are empty, that is the last.

    Args:
        starts: Pointer to int32 [segments], where each segment starts, never falling.
        segments: Number of segments; may be 0.
        steps: Loads of the search, `search_steps(segments)`.
        tokens: Int32 block or scalar.
    """
    segment = tokens * 0
    for step in range(steps):
        tried = segment + (1 << (steps - 1 - step))
        is_there = tried < segments
        start = tl.load(starts + tried, mask=is_there, other=0)
        segment = tl.where(is_there & (start <= tokens), tried, segment)
    return segment


def search_steps(segments: int) -> int:
    """Returns how many steps find one of so many segments."""
    return max(segments - 1, 0).bit_length()
