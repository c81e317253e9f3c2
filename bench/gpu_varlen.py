"""Kernels against their torch twins, and attention over packs, on a CUDA device.

    python bench/gpu_varlen.py

Medians of `triton.testing.do_bench`, forward, and backward where there is one, on packs of 4,096
tokens with the shapes of Qwen3-1.7B and SigLIP-so400m in bfloat16. Without a GPU it says so and
measures nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn.attention.flex_attention import flex_attention
from torch.nn.functional import scaled_dot_product_attention

from packkit.varlen import (
    block_mask,
    dense_mask,
    normalize_pixels,
    pack_tokens,
    pool_image_tokens,
    splice_image_tokens,
)

TOTAL, HEADS, KEY_HEADS, HEAD_CHANNELS, CHANNELS = 4096, 16, 8, 128, 2048
VOCABULARY, VISION_CHANNELS, IMAGES = 151_936, 1152, 10


@dataclass(frozen=True, slots=True)
class Case:
    """A call, and the tensors that it is differentiated by."""

    name: str
    call: Callable[[], Tensor]
    leaves: tuple[Tensor, ...] = ()


def lengths_of_a_pack(seed: int = 0) -> list[int]:
    """Returns lognormal lengths that sum to 4,096 tokens."""
    drawn = np.random.default_rng(seed).lognormal(6.2, 1.0, 200).clip(16, TOTAL).astype(int)
    count = int((drawn.cumsum() < TOTAL).sum())
    return [*drawn[:count].tolist(), TOTAL - int(drawn[:count].sum())]


def bf16(*shape: int) -> Tensor:
    return torch.randn(shape, device="cuda", dtype=torch.bfloat16, requires_grad=True)


def operations(backend: Any, cu_seqlens: Tensor) -> list[Case]:
    """Returns a call of each operation by one backend."""
    labels = torch.zeros(TOTAL, dtype=torch.int64, device="cuda")
    slots = torch.arange(IMAGES, dtype=torch.int32, device="cuda")[:, None] * 400
    slots = torch.cat([slots, torch.full_like(slots, 144)], dim=1)
    table, features = bf16(VOCABULARY, CHANNELS), bf16(IMAGES * 144, CHANNELS)
    vision = bf16(IMAGES, 729, VISION_CHANNELS)
    pixels = torch.zeros(IMAGES, 3, 384, 384, dtype=torch.uint8, device="cuda")
    own = {"backend": backend}
    return [
        Case("pack_tokens", lambda: pack_tokens(cu_seqlens, labels, **own).targets),
        Case("block_mask", lambda: block_mask(cu_seqlens, TOTAL, **own).kv_indices),
        Case("dense_mask", lambda: dense_mask(cu_seqlens, TOTAL, **own)),
        Case(
            "splice_image_tokens",
            lambda: splice_image_tokens(labels, table, features, slots, **own),
            (table, features),
        ),
        Case("pool_image_tokens", lambda: pool_image_tokens(vision, **own), (vision,)),
        Case("normalize_pixels", lambda: normalize_pixels(pixels, **own)),
    ]


def attentions(lengths: list[int], cu_seqlens: Tensor) -> list[Case]:
    """Returns attention over the samples of one pack, each way there is."""
    from torch.nn.attention.varlen import varlen_attn

    query, key, value = (
        bf16(1, heads, TOTAL, HEAD_CHANNELS) for heads in (HEADS, KEY_HEADS, KEY_HEADS)
    )
    rows = [bf16(TOTAL, heads, HEAD_CHANNELS) for heads in (HEADS, KEY_HEADS, KEY_HEADS)]
    longest, samples = max(lengths), len(lengths)
    padded = [
        bf16(samples, heads, longest, HEAD_CHANNELS) for heads in (HEADS, KEY_HEADS, KEY_HEADS)
    ]
    dense, blocks = dense_mask(cu_seqlens, TOTAL), block_mask(cu_seqlens, TOTAL)
    compiled = torch.compile(flex_attention)
    packed, gqa = (query, key, value), {"enable_gqa": True}
    return [
        Case(
            f"SDPA, {samples} samples padded to {longest}",
            lambda: scaled_dot_product_attention(*padded, is_causal=True, **gqa),
            tuple(padded),
        ),
        Case(
            "SDPA, dense mask",
            lambda: scaled_dot_product_attention(*packed, attn_mask=dense, **gqa),
            packed,
        ),
        Case("FlexAttention", lambda: compiled(*packed, block_mask=blocks, **gqa), packed),
        Case(
            "varlen_attn",
            lambda: varlen_attn(
                *rows, cu_seqlens, cu_seqlens, longest, longest, window_size=(-1, 0), **gqa
            ),
            tuple(rows),
        ),
    ]


def microseconds(case: Case) -> tuple[str, str]:
    """Returns the medians forward and backward."""
    from triton.testing import do_bench

    forward = do_bench(case.call, return_mode="median") * 1e3
    if not case.leaves:
        return f"{forward:.1f}", ""
    out = case.call()
    weights = torch.randn_like(out)

    def backward() -> object:
        return torch.autograd.grad(out, case.leaves, weights, retain_graph=True)

    return f"{forward:.1f}", f"{do_bench(backward, return_mode='median') * 1e3:.1f}"


def main() -> int:
    if not torch.cuda.is_available():
        print("skipped: there is no CUDA device, and a kernel's time on a CPU means nothing")
        return 0
    lengths = lengths_of_a_pack()
    bounds = torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int32, device="cuda")
    console = Console(width=100)
    console.print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, lengths {lengths}")
    table = Table("operation", "triton, µs", "backward", "torch, µs", "backward")
    pairs = zip(operations("triton", bounds), operations("reference", bounds), strict=True)
    for ours, twin in pairs:
        table.add_row(ours.name, *microseconds(ours), *microseconds(twin))
    console.print(table)
    table = Table("attention", "forward, µs", "backward")
    for case in attentions(lengths, bounds):
        table.add_row(case.name, *microseconds(case))
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
