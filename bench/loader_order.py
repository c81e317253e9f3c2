"""How sequentially each shuffle reads a cold disk: packs a second, no image decoded.

    python bench/loader_order.py demo/tokenizer.json [--packs 1500] [--rounds 5] [--folder DIR]

Writes a pack set of about 1 MB a pack, drops it from the page cache before every pass, and reads
all packs, checked, with two threads in the order of each shuffle, the shuffles in turn. Beside them
stands a bare read of the same files from beginning to end.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from packkit import Pack, PackDataset, PackSampler, PackWriter, Sample, SampleEncoder

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


def packs_per_second(dataset: PackDataset, shuffle: str, folder: Path) -> float:
    sampler = PackSampler(dataset, packs_per_step=8, shuffle=shuffle)
    order = [pack for step in sampler for pack in step if pack >= 0]
    (reader,) = dataset.sets.readers
    drop_from_cache(folder)
    start = time.perf_counter()
    with ThreadPoolExecutor(2) as threads:
        for _ in threads.map(reader.lazy, order):
            pass
    return len(order) / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the reading speed of shuffles.")
    parser.add_argument("tokenizer")
    parser.add_argument("--packs", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
        folder = Path(temporary) / "packs"
        write_packs(folder, arguments.packs, SampleEncoder(arguments.tokenizer))
        dataset = PackDataset(folder)
        speeds = {name: [] for name in (*_SHUFFLES, "bare")}
        for _ in range(arguments.rounds):
            speeds["bare"].append(bare_read(folder, len(dataset)))
            for shuffle in _SHUFFLES:
                speeds[shuffle].append(packs_per_second(dataset, shuffle, folder))
    for name, own in speeds.items():
        ratio = statistics.median(
            one / other for one, other in zip(own, speeds["none"], strict=True)
        )
        print(f"{name:8} {statistics.median(own):8.0f} packs/s  {ratio:.2f} of none")


if __name__ == "__main__":
    main()
