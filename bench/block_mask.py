"""The block mask of a pack: from its lengths, and by torch's compiled `create_block_mask`.

    python bench/block_mask.py

On a CPU, after compilation, in turns: each round times one call of torch's and the median of some
of ours. Says the ratio of the medians, and the median of the rounds' ratios.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch.nn.attention.flex_attention import create_block_mask

from packkit.varlen import block_mask

SIZES = {4096: 6, 8192: 11, 32768: 46}
ROUNDS, CALLS = 15, 15


def seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def boundaries(total: int, segments: int) -> torch.Tensor:
    """Returns int32 [segments + 1], the cuts drawn at random."""
    cuts = np.random.default_rng(total).choice(np.arange(1, total), segments - 1, replace=False)
    return torch.tensor([0, *sorted(cuts.tolist()), total], dtype=torch.int32)


def measured(total: int, segments: int) -> list[tuple[float, float]]:
    """Returns seconds of ours and of torch's, a pair a round."""
    cu_seqlens = boundaries(total, segments)
    document = torch.arange(segments).repeat_interleave(cu_seqlens.diff())
    compiled = torch.compile(create_block_mask)

    def sees(_batch, _head, query, key):
        return (query >= key) & (document[query] == document[key])

    def ours() -> object:
        return block_mask(cu_seqlens, total)

    def theirs() -> object:
        return compiled(sees, 1, 1, total, total, device="cpu")

    for _ in range(3):
        ours()
        theirs()
    return [(median(seconds(ours) for _ in range(CALLS)), seconds(theirs)) for _ in range(ROUNDS)]


def main() -> None:
    table = Table("tokens", "segments", "from lengths, ms", "compiled, ms", "ratio", "paired")
    for total, segments in SIZES.items():
        rounds = measured(total, segments)
        ours, theirs = (median(column) for column in zip(*rounds, strict=True))
        paired = median(other / one for one, other in rounds)
        milliseconds = f"{ours * 1e3:.2f}", f"{theirs * 1e3:.1f}"
        table.add_row(
            f"{total}", f"{segments}", *milliseconds, f"{theirs / ours:.0f}", f"{paired:.0f}"
        )
    Console(width=100).print(f"torch {torch.__version__}", table)


if __name__ == "__main__":
    main()
