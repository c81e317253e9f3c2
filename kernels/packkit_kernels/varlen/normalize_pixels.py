"""uint8 pixels to normalised floating point ones in one pass over memory."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from packkit_kernels.varlen.options import EXACT

_BLOCK = 2048


@triton.jit
def normalize_pixels_kernel(pixels, out, size, BLOCK: tl.constexpr):
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = place < size
    value = tl.load(pixels + place, mask=inside, other=0).to(tl.float32)
    tl.store(out + place, tl.div_rn(value - 127.5, value * 0 + 127.5), mask=inside)


def normalize_pixels(pixels: Tensor, dtype: torch.dtype) -> Tensor:
    """Launches the kernel; see `packkit_kernels.reference.normalize_pixels`."""
    out = torch.empty_like(pixels, dtype=dtype)
    normalize_pixels_kernel[(triton.cdiv(pixels.numel(), _BLOCK),)](
        pixels, out, pixels.numel(), BLOCK=_BLOCK, **EXACT
    )
    return out
