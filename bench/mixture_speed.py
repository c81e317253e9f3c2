"""How long it takes to choose among ten million samples, and how much memory.

Keys and lengths stand in for what pass 1 notes: choosing is what the mixture adds to it.
"""

import argparse
import resource
import time

import numpy as np

from packkit.mixture.lock import content_hash
from packkit.mixture.quantities import Quantity
from packkit.mixture.selection import ranks_of, take

QUANTITIES = {
    "take 180K": Quantity("samples", 180_000),
    "take half": Quantity("samples", 5_000_000),
    "repeat 1.5": Quantity("repeat", 1.5),
    "tokens 5B": Quantity("tokens", 5_000_000_000),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=10_000_000)
    samples = parser.parse_args().samples
    random = np.random.default_rng(0)
    keys = random.integers(0, 2**64, samples, np.uint64)
    lengths = random.integers(160, 4096, samples, np.int32)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, quantity in QUANTITIES.items():
        start = time.perf_counter()
        rows = take(ranks_of(keys, 17, "bench"), lengths, quantity)
        chosen = time.perf_counter()
        content_hash(keys[rows])
        end = time.perf_counter()
        print(f"{name:12} {len(rows):>12,} of {samples:,}: {chosen - start:5.2f} s to choose,"
              f" {end - chosen:5.2f} s to hash")  # fmt: skip
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"peak memory over the inputs: {peak / 1024:,.0f} MiB")


if __name__ == "__main__":
    main()
