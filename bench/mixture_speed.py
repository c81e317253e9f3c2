"""How long it takes to choose among ten million samples, and how much memory.

    python bench/mixture_speed.py [--samples 10000000]

Keys and lengths stand in for what pass 1 notes: choosing is what the mixture adds to it. Amounts
are shares of the samples, so that a smaller run asks for as much of its own.
"""

from __future__ import annotations

from measuring.report import Report, bench_parser, print_table

PARSER = bench_parser(__doc__)
PARSER.add_argument("--samples", type=int, default=10_000_000)
if __name__ == "__main__":
    # Before what takes seconds to import: --help answers at once.
    OPTIONS = PARSER.parse_args()

import argparse
import resource
import time

import numpy as np

from packkit.mixture.lock import content_hash
from packkit.mixture.quantities import Quantity
from packkit.mixture.selection import ranks_of, take


def quantities(samples: int) -> dict[str, Quantity]:
    """Returns what is asked for, by name: 180,000 of ten million, half, and so on."""
    return {
        "take 1.8 %": Quantity("samples", samples * 18 // 1000),
        "take half": Quantity("samples", samples // 2),
        "repeat 1.5": Quantity("repeat", 1.5),
        "500 tokens a sample": Quantity("tokens", samples * 500),
    }


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(options: argparse.Namespace) -> None:
    samples, report, cells = options.samples, Report(options, samples=options.samples), []
    random = np.random.default_rng(0)
    keys = random.integers(0, 2**64, samples, np.uint64)
    lengths = random.integers(160, 4096, samples, np.int32)
    before = peak_mib()
    for name, quantity in quantities(samples).items():
        start = time.perf_counter()
        rows = take(ranks_of(keys, 17, "bench"), lengths, quantity)
        chosen = time.perf_counter()
        content_hash(keys[rows])
        hashed = time.perf_counter()
        times = chosen - start, hashed - chosen
        for variant, seconds in zip(("choose", "hash"), times, strict=True):
            report.add(name, variant, "time", "s", seconds, taken=len(rows))
        cells.append((name, f"{len(rows):,}", *(f"{seconds:.2f}" for seconds in times)))
    print_table(("amount", f"taken of {samples:,}", "s to choose", "s to hash"), cells)
    peak = report.add("all amounts", "", "peak memory over the inputs", "MiB", peak_mib() - before)
    print(f"peak memory over the inputs: {peak:,.0f} MiB")


if __name__ == "__main__":
    main(OPTIONS)
