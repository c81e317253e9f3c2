"""How long a set of millions of packs takes to open, and a run to go on in the middle of it.

Writes the manifest of a set that is not there: opening reads nothing else, and neither does finding
the packs of a step. Then, each in a process of its own: opens it, and restores a state a million
steps on and asks for the packs of the next step, for every shuffle. Importing is timed by itself.

    python bench/loader_resume.py demo/tokenizer.json --packs 7000000 --shards 24000
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from measuring.report import Report, bench_parser, print_table

PACKS_PER_STEP = 4
SAMPLES_PER_PACK, TOKENS_PER_PACK, BYTES_PER_PACK = 22, 4090, 1_900_000
SHUFFLES = ("global", "shards", "none")


def write_set(folder: Path, tokenizer: str, packs: int, shards: int) -> int:
    """Writes encoder/ and a manifest as `pack` would; returns the bytes of the manifest."""
    from packkit import SampleEncoder
    from packkit.shards import MANIFEST, Manifest, encoder_checksums

    encoder = SampleEncoder(tokenizer)
    encoder.save(folder / "encoder")
    samples, tokens = packs * SAMPLES_PER_PACK, packs * TOKENS_PER_PACK
    bound = -(-tokens // 4096)
    manifest = Manifest(
        capacity=4096,
        storage="shards",
        encoder=encoder.describe(),
        options={},
        samples_read=samples,
        samples_packed=samples,
        samples_rejected=0,
        rejects={},
        duplicate_ids=0,
        packs=packs,
        tokens=tokens,
        images=samples,
        efficiency=tokens / (packs * 4096),
        lower_bound=bound,
        gap=(packs - bound) / bound,
        sources=[_source(number) for number in range(samples // 10_000)],
        shards=[_entry(number, packs, shards) for number in range(shards)],
        rejects_sha256="0" * 64,
        encoder_sha256=encoder_checksums(folder),
    )
    return (folder / MANIFEST).write_bytes(manifest.to_json())


def _source(number: int) -> dict[str, Any]:
    """An input file of ten thousand samples."""
    name = f"captions/{number:05}.tar"
    return {"name": name, "layout": "webdataset", "read": 10_000, "packed": 10_000, "rejected": 0}


def _entry(number: int, packs: int, shards: int) -> Any:
    from packkit.shards import ShardEntry

    held = packs * (number + 1) // shards - packs * number // shards
    return ShardEntry(
        name=f"shard-{number:05}",
        packs=held,
        samples=held * SAMPLES_PER_PACK,
        images=held * SAMPLES_PER_PACK,
        tokens=held * TOKENS_PER_PACK,
        bytes=held * BYTES_PER_PACK,
        sha256=f"{number:064x}",
        index_checksum=f"{number:016x}",
    )


def open_reader(folder: Path, _: dict[str, Any]) -> dict[str, float]:
    seconds: dict[str, float] = {}
    with _timed(seconds, "import"):
        from packkit.shards import PackReader
    with _timed(seconds, "open"):
        PackReader(folder)
    return seconds


def make_state(folder: Path, job: dict[str, Any]) -> dict[str, Any]:
    """Returns the state of a run after a number of steps."""
    from packkit import PackDataset, PackSampler

    sampler = PackSampler(
        PackDataset(folder), packs_per_step=PACKS_PER_STEP, shuffle=job["shuffle"]
    )
    steps = job["steps"]
    return {**sampler.state_dict(), "step": steps, "position": steps * PACKS_PER_STEP}


def resume(folder: Path, job: dict[str, Any]) -> dict[str, float]:
    """Does what a loader does from its making to the packs of its next step."""
    seconds: dict[str, float] = {}
    with _timed(seconds, "import"):
        from packkit import PackDataset, PackSampler
    with _timed(seconds, "open"):
        dataset = PackDataset(folder)
    with _timed(seconds, "sampler"):
        sampler = PackSampler(dataset, packs_per_step=PACKS_PER_STEP, shuffle=job["shuffle"])
    with _timed(seconds, "restore"):
        sampler.load_state_dict(job["state"])
    with _timed(seconds, "next step"):
        packs = next(iter(sampler))
    with _timed(seconds, "the one after"):
        next(iter(sampler))
    assert len(set(packs)) == PACKS_PER_STEP, packs
    return seconds


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - begun


DUTIES = {"open": open_reader, "state": make_state, "resume": resume}


def in_child(folder: Path, job: dict[str, Any]) -> dict[str, Any]:
    command = [sys.executable, __file__, str(folder), "--child", json.dumps(job)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def measure(folder: Path, options: argparse.Namespace) -> None:
    jobs: dict[str, dict[str, Any]] = {"PackReader": {"do": "open"}}
    for shuffle in SHUFFLES:
        state = in_child(folder, {"do": "state", "shuffle": shuffle, "steps": options.steps})
        jobs[f"resume, {shuffle}"] = {"do": "resume", "shuffle": shuffle, "state": state}
    timings: dict[str, list[dict[str, float]]] = {name: [] for name in jobs}
    for _ in range(options.rounds):
        for name, job in jobs.items():
            timings[name].append(in_child(folder, job))
    report = Report(options, packs=options.packs, shards=options.shards, steps=options.steps)
    cells = []
    for name, rounds in timings.items():
        parts = {part: [1000 * seconds[part] for seconds in rounds] for part in rounds[0]}
        parts["sum without import"] = [
            1000 * (sum(seconds.values()) - seconds["import"]) for seconds in rounds
        ]
        for part, times in parts.items():
            middle = report.add(name, part, "time", "ms", times)
            cells.append((name, part, f"{middle:.1f}", f"{min(times):.1f}"))
    print_table(("job", "part", "ms, median", "lowest"), cells)


def main() -> None:
    parser = bench_parser(__doc__)
    parser.add_argument("tokenizer", help="tokenizer.json")
    parser.add_argument("--packs", type=int, default=7_000_000)
    parser.add_argument("--shards", type=int, default=24_000)
    parser.add_argument("--steps", type=int, default=1_000_000, help="made before the state")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        duty = DUTIES[options.child["do"]]
        print(json.dumps(duty(Path(options.tokenizer), options.child)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = write_set(folder, options.tokenizer, options.packs, options.shards)
        print(f"{options.packs:,} packs, {options.shards:,} shards, manifest {size / 1e6:.1f} MB")
        measure(folder, options)


if __name__ == "__main__":
    main()
