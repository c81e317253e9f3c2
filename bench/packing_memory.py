"""Peak memory of the main job: ten times the data must cost the index only.

Packs the same kind of input twice, each in a process of its own, and prints the largest resident
size of both beside the bytes read. Shards are small so that both runs fill many of them.

    python bench/packing_memory.py TOKENIZER.json --gib 0.2 --folder /data/scratch
"""

from __future__ import annotations

from measuring.report import Report, bench_parser, print_table

PARSER = bench_parser(__doc__)
PARSER.add_argument("tokenizer", help="tokenizer.json")
PARSER.add_argument("--gib", type=float, default=0.2, help="size of the smaller input, GiB")
PARSER.add_argument("--folder", help="where to work")
if __name__ == "__main__":
    # Before what takes seconds to import: --help answers at once.
    OPTIONS = PARSER.parse_args()

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from packing_speed import make_input

SHARD_SIZE = 32 << 20
PACK = """
import json, resource, sys
from packkit import PackConfig, pack
paths, out, tokenizer, shard_size = json.loads(sys.argv[1])
report = pack(paths, out, PackConfig(tokenizer=tokenizer, shard_size=shard_size, workers=2))
print(report.samples_packed, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(paths: list[Path], out: Path, tokenizer: str) -> tuple[int, int]:
    """Returns samples packed and peak resident KiB."""
    arguments = json.dumps([[str(path) for path in paths], str(out), tokenizer, SHARD_SIZE])
    result = subprocess.run(
        [sys.executable, "-c", PACK, arguments], check=True, capture_output=True, text=True
    )
    samples, kib = result.stdout.split()
    return int(samples), int(kib)


def main(options: argparse.Namespace) -> None:
    report, cells = Report(options, shard_size=SHARD_SIZE, workers=2), []
    folder = Path(tempfile.mkdtemp(dir=options.folder))
    try:
        for factor in (1, 10):
            data = folder / f"data-{factor}"
            data.mkdir()
            paths = make_input(data, options.gib * factor, np.random.default_rng(factor))
            samples, kib = peak(paths, folder / f"packs-{factor}", options.tokenizer)
            read = sum(path.stat().st_size for path in paths) / 2**20
            sizes = {"samples": samples, "mib_read": round(read)}
            report.add("whole job", "", "peak memory", "MiB", kib / 1024, **sizes)
            cells.append((f"{samples:,}", f"{read:,.0f}", f"{kib / 1024:,.0f}"))
    finally:
        shutil.rmtree(folder)
    print_table(("samples", "MiB read", "peak MiB"), cells)


if __name__ == "__main__":
    main(OPTIONS)
