"""The main job at the speed of the machine: both passes beside what they cannot beat.

Makes JSON lines of captions with JPEG-sized images (a real JPEG, padded after its end to a size
drawn from a lognormal law), packs them, and prints three ratios of one run:

- pass 1 against a bare loop that reads the lines, parses them with orjson and encodes the texts
  with the same tokenizer and threads;
- pass 2, its inputs dropped from the page cache, against `cp` plus fsync of the same output, its
  source dropped likewise;
- the whole job, samples a second.

    python bench/packing_speed.py TOKENIZER.json --gib 2 --folder /data/scratch
"""

from __future__ import annotations

from measuring.report import Report, bench_parser, print_table

PARSER = bench_parser(__doc__)
PARSER.add_argument("tokenizer", help="tokenizer.json")
PARSER.add_argument("--gib", type=float, default=2.0, help="size of the input, GiB")
PARSER.add_argument("--folder", help="where to work; on the disk to be measured")
if __name__ == "__main__":
    # Before what takes seconds to import: --help answers at once.
    OPTIONS = PARSER.parse_args()

import argparse
import io
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import orjson
import pybase64
from PIL import Image
from tokenizers import Tokenizer

from packkit import PackConfig, pack

FILES = 8
BATCH = 256
WORDS = (
    "axial sagittal coronal image of the chest abdomen brain shows a lesion in left right upper "
    "lower lobe with mild moderate enhancement after contrast no evidence acute findings seen"
).split()


def make_input(folder: Path, gib: float, rng: np.random.Generator) -> list[Path]:
    """Writes about `gib` GiB of JSON lines in `FILES` files."""
    picture = Image.fromarray(rng.integers(0, 255, (384, 512, 3), np.uint8).astype(np.uint8))
    buffer = io.BytesIO()
    picture.resize((64, 48)).resize((512, 384)).save(buffer, "JPEG", quality=80)
    jpeg = buffer.getvalue()
    paths = [folder / f"captions-{number}.jsonl" for number in range(FILES)]
    for path in paths:
        written = 0
        with open(path, "wb") as lines:
            while written < gib * 2**30 / FILES:
                size = int(np.clip(rng.lognormal(11.0, 0.5), len(jpeg), 400_000))
                image = jpeg + rng.bytes(size - len(jpeg))
                words = rng.choice(WORDS, int(np.clip(rng.lognormal(3.6, 0.5), 5, 300)))
                record = {
                    "id": f"{path.stem}/{written}",
                    "content": [{"type": "image"}, {"type": "text", "text": " ".join(words)}],
                    "images": [pybase64.b64encode_as_string(image)],
                }
                written += lines.write(orjson.dumps(record) + b"\n")
    return paths


def bare_loop(paths: list[Path], tokenizer: Tokenizer) -> int:
    """Reads, parses and encodes, and does nothing else; returns the number of samples."""
    samples, texts = 0, []
    for path in paths:
        with open(path, "rb", buffering=1 << 20) as lines:
            for line in lines:
                texts.append(orjson.loads(line)["content"][1]["text"])
                if len(texts) == BATCH:
                    samples += len(tokenizer.encode_batch_fast(texts, add_special_tokens=False))
                    texts.clear()
    return samples + len(tokenizer.encode_batch_fast(texts, add_special_tokens=False))


def drop_from_cache(paths: list[Path]) -> None:
    """Writes the files to disk and asks the kernel to forget their pages."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def copy_with_fsync(paths: list[Path], folder: Path) -> float:
    """Copies files with `cp` and flushes each to disk; returns seconds."""
    drop_from_cache(paths)
    started = time.perf_counter()
    for path in paths:
        subprocess.run(["cp", path, folder / path.name], check=True)
        descriptor = os.open(folder / path.name, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    return time.perf_counter() - started


def timed(function, *args) -> tuple[float, int]:
    started = time.perf_counter()
    result = function(*args)
    return time.perf_counter() - started, result


def measure(folder: Path, options: argparse.Namespace) -> None:
    paths = make_input(folder, options.gib, np.random.default_rng(0))
    tokenizer = Tokenizer.from_file(options.tokenizer)
    config = PackConfig(tokenizer=options.tokenizer, overwrite=True)
    out = folder / "packs"
    times: dict[tuple[str, bool], float] = {}

    def note(phase: str, done: int, total: int) -> None:
        if phase == "write" and done == 0:
            drop_from_cache(paths)
        if done in (0, total):
            times[phase, done == total] = time.perf_counter()

    bare, samples = timed(bare_loop, paths, tokenizer)
    whole, packed = timed(lambda: pack(paths, out, config, on_progress=note))
    bare_again, _ = timed(bare_loop, paths, tokenizer)
    bare = min(bare, bare_again)
    shards = sorted(out.glob("shard-*.jsonl"))
    (folder / "copy").mkdir()
    copied = copy_with_fsync(shards, folder / "copy")
    first = times["measure", True] - times["measure", False]
    second = times["write", True] - times["write", False]
    assert packed.samples_packed == samples
    report = Report(options, gib=options.gib, samples=samples, workers=config.workers)
    megabytes = packed.bytes / 1e6
    cells = []
    # Each beside the job that it cannot beat.
    for name, amount, unit, seconds, limit in (
        ("bare loop, better of two", samples, "samples/s", bare, bare),
        ("pass 1", samples, "samples/s", first, bare),
        ("cp + fsync", megabytes, "MB/s", copied, copied),
        ("pass 2", megabytes, "MB/s", second, copied),
        ("whole job", samples, "samples/s", whole, whole),
    ):
        report.add(name, "", "throughput", unit, amount / seconds)
        report.add(name, "", "ratio to its limit", "1", limit / seconds)
        cells.append((name, f"{amount / seconds:,.0f} {unit}", f"{limit / seconds:.2f}"))
    print(f"{samples:,} samples, output {packed.bytes / 2**30:.2f} GiB in {len(shards)} shards")
    print_table(("job", "throughput", "of its limit"), cells)


def main(options: argparse.Namespace) -> None:
    folder = Path(tempfile.mkdtemp(dir=options.folder))
    try:
        measure(folder, options)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(OPTIONS)
