"""Planning ten times more samples: seconds, beside numpy's stable sort, and peak memory.

    python bench/planning_scale.py [--samples 10000000 100000000] [--rounds 3]

Medians of the rounds, warm. The sort is of as many lengths as the first plan is made of.
"""

from __future__ import annotations

from measuring.report import Report, bench_parser, print_table

PARSER = bench_parser(__doc__)
PARSER.add_argument("--samples", type=int, nargs="+", default=[10**7, 10**8], help="rising")
PARSER.add_argument("--rounds", type=int, default=3)
if __name__ == "__main__":
    # Before what takes seconds to import: --help answers at once.
    OPTIONS = PARSER.parse_args()

import argparse
import resource
import time
from collections.abc import Callable

import numpy as np

from packkit.planning import plan_packs

CAPACITY = 4096


def lognormal(samples: int) -> np.ndarray:
    """Lengths of a lognormal law, made in parts so that making them needs no more than they do."""
    rng = np.random.default_rng(0)
    lengths = np.empty(samples, np.uint16)
    for start in range(0, samples, 10**6):
        part = lengths[start : start + 10**6]
        part[:] = np.clip(rng.lognormal(6.2, 1.0, len(part)), 16, CAPACITY)
    return lengths


def seconds(function: Callable[[], object], rounds: int) -> list[float]:
    """Returns the seconds of each round."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return times


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(options: argparse.Namespace) -> None:
    plan_packs(lognormal(1000), capacity=CAPACITY)
    report, cells, medians = Report(options, capacity=CAPACITY), [], []
    for samples in options.samples:
        lengths = lognormal(samples)
        before = peak_bytes()
        times = seconds(
            lambda lengths=lengths: plan_packs(lengths, capacity=CAPACITY), options.rounds
        )
        extra = (peak_bytes() - before) / samples
        name = "lognormal lengths", "plan_packs"
        medians.append(report.add(*name, "time", "s", times, samples=samples))
        report.add(*name, "peak memory", "bytes/sample", extra, samples=samples)
        growth = f"{medians[-1] / medians[0]:.1f}"
        cells.append(("plan_packs", f"{samples:,}", f"{medians[-1]:.3f}", growth, f"{extra:.1f}"))
    smallest = options.samples[0]
    lengths = lognormal(smallest)
    times = seconds(lambda: np.argsort(lengths, kind="stable"), options.rounds)
    sort = report.add("lognormal lengths", "numpy argsort", "time", "s", times, samples=smallest)
    growth = f"{sort / medians[0]:.1f}"
    cells.append(("np.argsort, stable", f"{smallest:,}", f"{sort:.3f}", growth, ""))
    print_table(("", "lengths", "s", "of the first", "bytes a sample more"), cells)


if __name__ == "__main__":
    main(OPTIONS)
