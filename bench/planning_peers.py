"""Other packers beside ours, on the same lengths: seconds, and packs over the sum's lower bound.

Each peer runs its own installed code; what is not installed is skipped with a line that says so.

    pip install 'packkit[bench]' trl        # peers that install beside torch
    python bench/planning_peers.py --samples 100000
"""

from __future__ import annotations

from measuring.report import Report, bench_parser, print_table

PARSER = bench_parser(__doc__)
PARSER.add_argument("--samples", type=int, default=100_000)
if __name__ == "__main__":
    # Before what takes seconds to import: --help answers at once.
    OPTIONS = PARSER.parse_args()

import argparse
import importlib
import importlib.util
import sys
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np

from packkit.planning import plan_packs

CAPACITY = 4096


def packkit_ffd(lengths: np.ndarray) -> int:
    return plan_packs(lengths, capacity=CAPACITY).packs


def binpacking_global(lengths: np.ndarray) -> int:
    binpacking = importlib.import_module("binpacking")
    return len(binpacking.to_constant_volume(lengths.tolist(), CAPACITY))


def trl_default(lengths: np.ndarray) -> int:
    """`pack_dataset` as SFTTrainer calls it: slices of 1,000 rows."""
    return _trl(lengths, {})


def trl_global(lengths: np.ndarray) -> int:
    """`pack_dataset` over all rows at once."""
    return _trl(lengths, {"batch_size": len(lengths)})


def _trl(lengths: np.ndarray, map_kwargs: dict[str, int]) -> int:
    datasets = importlib.import_module("datasets")
    pack_dataset = importlib.import_module("trl.data_utils").pack_dataset
    datasets.disable_progress_bars()
    rows = datasets.Dataset.from_dict({"input_ids": [[0] * int(n) for n in lengths]})
    started = time.perf_counter()
    packed = pack_dataset(rows, CAPACITY, "bfd", map_kwargs=map_kwargs)
    _trl.seconds = time.perf_counter() - started
    return len(packed)


def llamafactory_default(lengths: np.ndarray) -> int:
    """`greedy_knapsack` as the data processor calls it: slices of 1,000 samples."""
    return sum(
        llamafactory_global(lengths[start : start + 1000]) for start in range(0, len(lengths), 1000)
    )


def llamafactory_global(lengths: np.ndarray) -> int:
    module = _module_of("llamafactory", "data/processor/processor_utils.py")
    return len(module.greedy_knapsack(lengths.tolist(), CAPACITY))


def axolotl_default(lengths: np.ndarray) -> int:
    """`pack_group`, First-Fit in groups of 100,000 in the order given."""
    module = _module_of("axolotl", "utils/samplers/multipack.py")
    groups = (lengths[start : start + 100_000] for start in range(0, len(lengths), 100_000))
    return sum(len(module.pack_group(group, 0, CAPACITY, len(group), 200)) for group in groups)


def _module_of(package: str, path: str):
    """Loads one installed file of a package whose other dependencies are not wanted."""
    name = f"_peer_{package}"
    if name not in sys.modules:
        package_spec = importlib.util.find_spec(package)
        if package_spec is None or not package_spec.submodule_search_locations:
            raise ImportError(f"{package} is not installed")
        place = f"{next(iter(package_spec.submodule_search_locations))}/{path}"
        spec = importlib.util.spec_from_file_location(name, place)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


PEERS: list[tuple[str, str, Callable[[np.ndarray], int], int]] = [
    ("packkit ffd", "packkit", packkit_ffd, 10**8),
    ("binpacking, global", "binpacking", binpacking_global, 20_000),
    ("TRL pack_dataset, default", "trl", trl_default, 10**6),
    ("TRL pack_dataset, global", "trl", trl_global, 10**6),
    ("LLaMA-Factory knapsack, default", "llamafactory", llamafactory_default, 10**7),
    ("LLaMA-Factory knapsack, global", "llamafactory", llamafactory_global, 10**6),
    ("axolotl pack_group, default", "axolotl", axolotl_default, 10**6),
]


def main(options: argparse.Namespace) -> None:
    samples = options.samples
    lengths = np.random.default_rng(0).lognormal(6.2, 1.0, samples)
    lengths = np.clip(lengths, 16, CAPACITY).astype(np.int64)
    bound = -(-int(lengths.sum()) // CAPACITY)
    report, cells = Report(options, samples=samples, capacity=CAPACITY, lower_bound=bound), []
    for name, package, function, limit in PEERS:
        if samples > limit:
            cells.append((name, "-", f"more than {limit:,} samples take too long"))
            continue
        try:
            function(lengths[:2000])
            started = time.perf_counter()
            packs = function(lengths)
            seconds = time.perf_counter() - started
        except ImportError as error:
            cells.append((name, "-", f"not run: {error}"))
            continue
        if package == "trl":
            # Making its table of token lists is not packing.
            seconds = _trl.seconds
        variant, over = f"{name} {version(package)}", (packs - bound) / bound
        report.add("lognormal lengths", variant, "time", "s", seconds)
        report.add("lognormal lengths", variant, "packs over the bound", "1", over)
        cells.append((variant, f"{seconds:.3f}", f"{over:+.3%}"))
    print(f"{samples:,} lengths, lower bound {bound:,} packs")
    print_table(("packer", "seconds", "packs over the bound"), cells)


if __name__ == "__main__":
    main(OPTIONS)
