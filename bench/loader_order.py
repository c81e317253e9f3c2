"""How sequentially each shuffle reads a cold disk: packs a second, no image decoded.

    python bench/loader_order.py demo/tokenizer.json [--packs 1500] [--rounds 5] [--folder DIR]

Writes a pack set of about 1 MB a pack, drops it from the page cache before every pass, and has a
loader of two threads go through it in the order of each shuffle, the shuffles in turn: reading,
checking and encoding, but decoding no image. Beside them stands a bare read of the same files from
beginning to end.
"""

from __future__ import annotations

from pathlib import Path

from measuring.report import Report, bench_parser, print_table

PARSER = bench_parser(__doc__)
PARSER.add_argument("tokenizer", help="tokenizer.json")
PARSER.add_argument("--packs", type=int, default=1500)
PARSER.add_argument("--rounds", type=int, default=5)
PARSER.add_argument("--folder", type=Path, help="where to work; on the disk to be measured")
if __name__ == "__main__":
    # Before what takes seconds to import: --help answers at once.
    OPTIONS = PARSER.parse_args()

import argparse
import os
import tempfile
import time

import numpy as np

from packkit import Pack, PackLoader, PackWriter, Sample, SampleEncoder

_IMAGES, _IMAGE_BYTES = 12, 62_000
_SHUFFLES = ("none", "shards", "global")


def write_packs(folder: Path, packs: int, encoder: SampleEncoder) -> None:
    """Writes packs whose images have a PNG's header, for their sizes, and noise behind it."""
    from PIL import Image

    head = folder.parent / "head.png"
    Image.new("RGB", (448, 448)).save(head)
    rng = np.random.default_rng(0)
    with PackWriter(folder, encoder=encoder, shard_size=64 << 20) as writer:
        for _ in range(packs):
            noise = rng.bytes(_IMAGES * _IMAGE_BYTES)
            samples = tuple(
                Sample(
                    content=(None, "A slice of the chest."),
                    images=(head.read_bytes() + noise[i * _IMAGE_BYTES : (i + 1) * _IMAGE_BYTES],),
                )
                for i in range(_IMAGES)
            )
            writer.write(Pack(samples, tuple(map(encoder.length, samples))))


def drop_from_cache(folder: Path) -> None:
    """Has the system forget the files of a folder."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def bare_read(folder: Path, packs: int) -> float:
    """Returns packs a second of reading the shards' files one after another, nothing looked at."""
    drop_from_cache(folder)
    start = time.perf_counter()
    for path in sorted(folder.glob("*.jsonl")):
        with open(path, "rb", buffering=0) as file:
            while file.read(1 << 20):
                pass
    return packs / (time.perf_counter() - start)


def packs_per_second(folder: Path, shuffle: str) -> float:
    loader = PackLoader(folder, packs_per_step=8, threads=2, shuffle=shuffle)
    # Noise in place of pixels: nothing but reading, checking and encoding is left.
    loader.dataset.decode = lambda pack, number, out: None
    loader.dataset.empty_pixels = lambda images: np.empty((images, 3, 1, 1), np.uint8)
    drop_from_cache(folder)
    start = time.perf_counter()
    packs = sum(int((batch.pack_ids >= 0).sum()) for batch in loader)
    return packs / (time.perf_counter() - start)


def main(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        folder = Path(temporary) / "packs"
        write_packs(folder, options.packs, SampleEncoder(options.tokenizer))
        speeds = {name: [] for name in (*_SHUFFLES, "bare read")}
        for _ in range(options.rounds):
            speeds["bare read"].append(bare_read(folder, options.packs))
            for shuffle in _SHUFFLES:
                speeds[shuffle].append(packs_per_second(folder, shuffle))
    report, cells = Report(options, packs=options.packs, threads=2), []
    for name, rounds in speeds.items():
        speed = report.add("cold reading", name, "throughput", "packs/s", rounds)
        ratios = [packs / in_order for packs, in_order in zip(rounds, speeds["none"], strict=True)]
        ratio = report.add("cold reading", name, "ratio to none", "1", ratios)
        cells.append((name, f"{speed:.0f}", f"{ratio:.2f}"))
    print_table(("shuffle", "packs/s", "of none"), cells)


if __name__ == "__main__":
    main(OPTIONS)
