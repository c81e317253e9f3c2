"""uint8 pixels to normalised floating point ones in one pass over memory."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from packkit_kernels.varlen.options import EXACT

_BLOCK = 1024


@triton.jit
def normalize_pixels_kernel(pixels, out, size, BLOCK: tl.constexpr):
    """Normalises one block of pixels a program.

    Args:
        pixels: Pointer to uint8 [size].
        out: Pointer to floating point [size], written: pixels in [-1, 1].
        size: Number of values.
        BLOCK: Values of a program, a power of two.
    """
    # One address in int64 a program: int32 offsets from it take half the registers.
    start = tl.program_id(0).to(tl.int64) * BLOCK
    offset = tl.arange(0, BLOCK)
    inside = offset < tl.minimum(size - start, BLOCK).to(tl.int32)
    value = tl.load(pixels + start + offset, mask=inside, other=0).to(tl.float32)
    normalized = tl.div_rn(value - 127.5, value * 0 + 127.5)
    tl.store(out + start + offset, normalized, mask=inside)


def normalize_pixels(pixels: Tensor, dtype: torch.dtype) -> Tensor:
    """Launches the kernel; see `packkit_kernels.reference.normalize_pixels`."""
    out = torch.empty_like(pixels, dtype=dtype)
    normalize_pixels_kernel[(triton.cdiv(pixels.numel(), _BLOCK),)](
        pixels, out, pixels.numel(), BLOCK=_BLOCK, **EXACT
    )
    return out
