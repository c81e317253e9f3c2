"""Adaptive average pooling of image tokens on features that stay token-major: no transposes."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from packkit_kernels.varlen.options import EXACT

_CHANNELS = 512


@triton.jit
def pool_image_tokens_kernel(
    features, out, channels, IN: tl.constexpr, OUT: tl.constexpr, BLOCK: tl.constexpr
):
    """Averages one block of channels of one cell a program.

    Args:
        features: Pointer to floating point [M, IN * IN, C].
        out: Pointer to floating point [M, OUT * OUT, C], written: means of the cells.
        channels: Number of channels, C.
        IN: Tokens along an edge of the grid given.
        OUT: Tokens along an edge of the grid returned.
        BLOCK: Channels of a program, a power of two.
    """
    image = (tl.program_id(0) // (OUT * OUT)).to(tl.int64)
    cell = tl.program_id(0) % (OUT * OUT)
    row, column = cell // OUT, cell % OUT
    top, bottom = row * IN // OUT, tl.cdiv((row + 1) * IN, OUT)
    left, right = column * IN // OUT, tl.cdiv((column + 1) * IN, OUT)
    channel = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    is_channel = channel < channels
    total = tl.zeros((BLOCK,), tl.float32)
    for y in range(top, bottom):
        for x in range(left, right):
            token = image * (IN * IN) + y * IN + x
            value = tl.load(features + token * channels + channel, mask=is_channel, other=0.0)
            total += value.to(tl.float32)
    mean = tl.div_rn(total, total * 0 + ((bottom - top) * (right - left)).to(tl.float32))
    place = (image * (OUT * OUT) + cell) * channels + channel
    tl.store(out + place, mean, mask=is_channel)


def pool_image_tokens(features: Tensor, side: int, target: int) -> Tensor:
    """Launches the kernel; see `packkit_kernels.reference.pool_image_tokens`."""
    images, _, channels = features.shape
    out = features.new_empty((images, target * target, channels))
    pool_image_tokens_kernel[(images * target * target, triton.cdiv(channels, _CHANNELS))](
        features, out, channels, IN=side, OUT=target, BLOCK=_CHANNELS, **EXACT
    )
    return out
