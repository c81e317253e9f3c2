"""Kernels against their torch twins, and attention over packs, on a CUDA device.

    python bench/gpu_varlen.py [--only operations attention] [--json PATH]

Packs of 4,096 tokens with the shapes of Qwen3-1.7B and SigLIP-so400m in bfloat16. Times are medians
of `triton.testing.do_bench`, which clears the L2 cache before each call, in microseconds:

- forward and backward: from the device's point of view, as long as the host enqueues faster;
- device: the forward pass replayed from a CUDA graph, so that the host has no part in it;
- host: what the caller's thread takes to enqueue the forward pass, nothing waited for.

Forward far above device means that the host, and not the kernel, is what takes the time. Without a
GPU it says so and measures nothing.
"""

from __future__ import annotations

from measuring.report import Report, bench_parser, print_table

PARTS = ("operations", "attention")
PARSER = bench_parser(__doc__)
PARSER.add_argument("--only", nargs="+", choices=PARTS, default=[*PARTS], help="what is measured")
if __name__ == "__main__":
    # Before what takes seconds to import: --help answers at once.
    OPTIONS = PARSER.parse_args()

import argparse
import inspect
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import torch
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
# Calls that are enqueued at once; a launch queue holds a thousand kernels.
CALLS, ROUNDS = 10, 20
LONGEST_REASON = 120


@dataclass(frozen=True, slots=True)
class Case:
    """A call, and the tensors that it is differentiated by."""

    name: str
    variant: str
    call: Callable[[], Tensor]
    leaves: tuple[Tensor, ...] = ()


def lengths_of_a_pack(seed: int = 0) -> list[int]:
    """Returns lognormal lengths that sum to 4,096 tokens."""
    drawn = np.random.default_rng(seed).lognormal(6.2, 1.0, 200).clip(16, TOTAL).astype(int)
    count = int((drawn.cumsum() < TOTAL).sum())
    return [*drawn[:count].tolist(), TOTAL - int(drawn[:count].sum())]


def bf16(*shape: int) -> Tensor:
    return torch.randn(shape, device="cuda", dtype=torch.bfloat16, requires_grad=True)


def operations(cu_seqlens: Tensor) -> list[Case]:
    """Returns a call of each operation by each backend."""
    labels = torch.zeros(TOTAL, dtype=torch.int64, device="cuda")
    slots = torch.arange(IMAGES, dtype=torch.int32, device="cuda")[:, None] * 400
    slots = torch.cat([slots, torch.full_like(slots, 144)], dim=1)
    table, features = bf16(VOCABULARY, CHANNELS), bf16(IMAGES * 144, CHANNELS)
    vision = bf16(IMAGES, 729, VISION_CHANNELS)
    pixels = torch.zeros(IMAGES, 3, 384, 384, dtype=torch.uint8, device="cuda")
    # Each takes the backend.
    calls: dict[str, tuple[Callable[[Any], Tensor], tuple[Tensor, ...]]] = {
        "pack_tokens": (lambda twin: pack_tokens(cu_seqlens, labels, backend=twin).targets, ()),
        "block_mask": (lambda twin: block_mask(cu_seqlens, TOTAL, backend=twin).kv_indices, ()),
        "dense_mask": (lambda twin: dense_mask(cu_seqlens, TOTAL, backend=twin), ()),
        "splice_image_tokens": (
            lambda twin: splice_image_tokens(labels, table, features, slots, backend=twin),
            (table, features),
        ),
        "pool_image_tokens": (lambda twin: pool_image_tokens(vision, backend=twin), (vision,)),
        "normalize_pixels": (lambda twin: normalize_pixels(pixels, backend=twin), ()),
    }
    return [
        Case(name, twin, lambda call=call, twin=twin: call(twin), leaves)
        for name, (call, leaves) in calls.items()
        for twin in ("triton", "reference")
    ]


def attentions(lengths: list[int], cu_seqlens: Tensor) -> list[Case]:
    """Returns attention over the samples of one pack, each way there is."""
    heads = HEADS, KEY_HEADS, KEY_HEADS
    packed = tuple(bf16(1, count, TOTAL, HEAD_CHANNELS) for count in heads)
    rows = tuple(bf16(TOTAL, count, HEAD_CHANNELS) for count in heads)
    longest, samples = max(lengths), len(lengths)
    padded = tuple(bf16(samples, count, longest, HEAD_CHANNELS) for count in heads)
    dense, blocks = dense_mask(cu_seqlens, TOTAL), block_mask(cu_seqlens, TOTAL)
    compiled, gqa = torch.compile(flex_attention), {"enable_gqa": True}
    return [
        Case(
            "attention",
            f"SDPA, {samples} samples padded to {longest}",
            lambda: scaled_dot_product_attention(*padded, is_causal=True, **gqa),
            padded,
        ),
        Case(
            "attention",
            "SDPA, dense mask",
            lambda: scaled_dot_product_attention(*packed, attn_mask=dense, **gqa),
            packed,
        ),
        Case(
            "attention",
            "FlexAttention",
            lambda: compiled(*packed, block_mask=blocks, **gqa),
            packed,
        ),
        Case(
            "attention",
            "varlen_attn" if has_grouped_heads() else "varlen_attn, key heads repeated",
            lambda: attend_rows(*rows, cu_seqlens, longest),
            rows,
        ),
    ]


def has_grouped_heads() -> bool:
    """Returns whether torch's varlen attention takes fewer key heads than query heads."""
    from torch.nn.attention.varlen import varlen_attn

    return "enable_gqa" in inspect.signature(varlen_attn).parameters


def attend_rows(query: Tensor, key: Tensor, value: Tensor, bounds: Tensor, longest: int) -> Tensor:
    """Attends by torch's varlen attention; repeats key heads where the release cannot group them.

    Args:
        query: Queries [T, heads, channels].
        key: Keys [T, key heads, channels].
        value: Values [T, key heads, channels].
        bounds: int32 [N+1], where each segment begins.
        longest: Tokens of the longest segment.
    """
    from torch.nn.attention.varlen import varlen_attn

    options: dict[str, Any] = {"window_size": (-1, 0)}
    if has_grouped_heads():
        options["enable_gqa"] = True
    else:
        times = query.shape[1] // key.shape[1]
        key, value = (rows.repeat_interleave(times, dim=1) for rows in (key, value))
    return varlen_attn(query, key, value, bounds, bounds, longest, longest, **options)


def device_times(call: Callable[[], object]) -> list[float]:
    """Returns the microseconds of calls, as events on the device see them."""
    from triton.testing import do_bench

    return [1e3 * milliseconds for milliseconds in do_bench(call, return_mode="all")]


def backward_times(case: Case) -> list[float]:
    """Returns the microseconds of the gradient."""
    out = case.call()
    weights = torch.randn_like(out)
    return device_times(lambda: torch.autograd.grad(out, case.leaves, weights, retain_graph=True))


def replayed_times(call: Callable[[], object]) -> list[float]:
    """Returns the microseconds of a call that is replayed from a CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return device_times(graph.replay)


def host_times(call: Callable[[], object]) -> list[float]:
    """Returns the microseconds that enqueuing a call takes, on average of some, round by round."""
    times = []
    for _ in range(ROUNDS):
        torch.cuda.synchronize()
        started = time.perf_counter()
        for _ in range(CALLS):
            call()
        times.append(1e6 * (time.perf_counter() - started) / CALLS)
    torch.cuda.synchronize()
    return times


def measure(report: Report, case: Case) -> list[str]:
    """Returns forward, backward, device and host as the table shows them, and adds rows of each."""
    ways: dict[str, Callable[[], list[float]]] = {
        "forward": lambda: device_times(case.call),
        "backward": lambda: backward_times(case) if case.leaves else [],
        "device": lambda: replayed_times(case.call),
        "host": lambda: host_times(case.call),
    }
    shown = []
    for way, take in ways.items():
        try:
            times = take()
        except RuntimeError as error:
            # What cannot be captured in a graph, or run by this release, leaves the rest measured.
            reason = str(error).splitlines()[0][:LONGEST_REASON]
            print(f"{case.name}, {case.variant}: no {way} time: {reason}", flush=True)
            times = []
        if times:
            report.add(case.name, case.variant, f"{way} time", "us", times)
        shown.append(f"{median(times):.1f}" if times else "")
    return shown


def show(report: Report, heading: str, cases: Sequence[Case]) -> None:
    """Measures cases and prints their table."""
    cells = [(case.name, case.variant, *measure(report, case)) for case in cases]
    print(f"\n{heading}, µs")
    print_table(("operation", "by", "forward", "backward", "device", "host"), cells)


def main(options: argparse.Namespace) -> int:
    if not torch.cuda.is_available():
        print("skipped: there is no CUDA device, and a kernel's time on a CPU means nothing")
        return 0
    lengths = lengths_of_a_pack()
    bounds = torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int32, device="cuda")
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, lengths {lengths}")
    report = Report(options, tokens=TOTAL, segments=len(lengths), dtype="bfloat16")
    if "operations" in options.only:
        show(report, "operations", operations(bounds))
    if "attention" in options.only:
        show(report, "attention", attentions(lengths, bounds))
    return 0


if __name__ == "__main__":
    sys.exit(main(OPTIONS))
