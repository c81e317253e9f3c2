"""The block mask of a pack: from its lengths, and by torch's compiled `create_block_mask`.

    python bench/block_mask.py [--tokens 4096 8192 32768] [--rounds 15]

On a CPU, after compilation, in turns: each round times one call of torch's and the median of some
of ours. Says the ratio of the medians, and the median of the rounds' ratios.
"""

from __future__ import annotations

from measuring.report import Report, bench_parser, print_table

# Tokens of a pack, and its segments.
SIZES = {4096: 6, 8192: 11, 32768: 46}

PARSER = bench_parser(__doc__)
PARSER.add_argument("--tokens", type=int, nargs="+", choices=SIZES, default=[*SIZES])
PARSER.add_argument("--rounds", type=int, default=15)
if __name__ == "__main__":
    # Before what takes seconds to import: --help answers at once.
    OPTIONS = PARSER.parse_args()

import argparse
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from torch.nn.attention.flex_attention import create_block_mask

from packkit.varlen import block_mask

CALLS = 15


def seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def boundaries(total: int, segments: int) -> torch.Tensor:
    """Returns int32 [segments + 1], the cuts drawn at random."""
    cuts = np.random.default_rng(total).choice(np.arange(1, total), segments - 1, replace=False)
    return torch.tensor([0, *sorted(cuts.tolist()), total], dtype=torch.int32)


def measured(total: int, segments: int, rounds: int) -> list[tuple[float, float]]:
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
    return [(median(seconds(ours) for _ in range(CALLS)), seconds(theirs)) for _ in range(rounds)]


def main(options: argparse.Namespace) -> None:
    report, cells = Report(options), []
    for total in options.tokens:
        sizes = {"tokens": total, "segments": SIZES[total]}
        pairs = measured(*sizes.values(), options.rounds)
        ours, theirs = (
            report.add("block mask", variant, "time", "ms", [1e3 * time for time in times], **sizes)
            for variant, times in zip(
                ("packkit.varlen.block_mask", "compiled create_block_mask"),
                zip(*pairs, strict=True),
                strict=True,
            )
        )
        ratios = [peer / mine for mine, peer in pairs]
        paired = report.add("block mask", "compiled over packkit", "ratio", "1", ratios, **sizes)
        figures = f"{ours:.2f}", f"{theirs:.1f}", f"{theirs / ours:.0f}", f"{paired:.0f}"
        cells.append((*sizes.values(), *figures))
    print(f"torch {torch.__version__}")
    print_table(
        ("tokens", "segments", "from lengths, ms", "compiled, ms", "ratio", "paired"), cells
    )


if __name__ == "__main__":
    main(OPTIONS)
