"""Other loaders beside ours: images a second out of the same JPEGs, each stored in its own form.

Makes a data set of JPEGs from real pictures, writes it in the form of each loader, and reads it as
that loader's documentation has it: two workers, batches of uint8 pixels, every image decoded by the
same function. A reading is a process of its own, and rounds are interleaved. A peer that is not
installed is skipped with a line that says so.

    make demo
    pip install 'packkit[turbo,peers]'
    python bench/loader_peers.py /data/scratch --rounds 5
    python bench/loader_peers.py /data/scratch --raw       # bytes only, one process, no pixels

The first epoch counts from the making of the loader, workers included; the steady figure is that of
the epochs after it. `packkit` compares checksums and makes ids, labels and segments beside the
pixels; the others give the caption as text, or leave it out.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from measuring.report import Report, bench_parser

FORMS = {
    "packkit": "packs",
    "webdataset": "webdataset_tars",
    "mosaicml-streaming": "mosaic_shards",
    "litdata": "litdata_chunks",
    "hf-datasets": "parquet_files",
    "json-files": "json_files",
}

PARSER = bench_parser(__doc__)
PARSER.add_argument("folder", type=Path, help="where data sets go, and stay for the next time")
PARSER.add_argument("--pictures", type=Path, default=Path("demo/data/vqa/images"))
PARSER.add_argument("--tokenizer", default="demo/tokenizer.json")
PARSER.add_argument("--images", type=int, default=2016, help="JPEGs to make")
PARSER.add_argument("--only", nargs="+", choices=FORMS, default=list(FORMS), help="loaders")
PARSER.add_argument("--decoder", choices=("pillow", "turbo"), default="turbo")
PARSER.add_argument("--workers", type=int, default=2, help="processes, or threads of packkit")
PARSER.add_argument("--batch-size", type=int, default=28, help="images; packs decide their own")
PARSER.add_argument("--rounds", type=int, default=5)
PARSER.add_argument("--raw", action="store_true", help="bytes only: no pixels, no workers")
PARSER.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
if __name__ == "__main__":
    # Before what takes seconds to import: --help answers at once.
    OPTIONS = PARSER.parse_args()

import importlib
import shutil
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from loader_formats.base import Setting
from loader_formats.figures import add_rows, print_costs, print_rates, summary
from loader_formats.images import make_images
from loader_formats.raw import RAW, read_raw
from loader_formats.timing import read_epochs

SIZE = 384
EPOCHS = 3
PATIENCE = 600
WRITTEN = "written"


def child(job: dict[str, Any]) -> dict[str, Any]:
    """Does one job; importing a peer and its workers must not touch those of another."""
    folder, name = Path(job["folder"]), job["name"]
    if job["do"] == "raw":
        return read_epochs(lambda: read_raw(name, folder), job["epochs"], digest=job["digest"])
    form = importlib.import_module(f"loader_formats.{FORMS[name]}")
    if job["do"] == "write":
        form.write(folder / "source", folder / name, job["tokenizer"])
        return {"version": version(form.PACKAGE)}
    from packkit.images.pixels import PixelDecoder

    decoder = PixelDecoder(job["decoder"], SIZE)
    setting = Setting(decoder.decode, SIZE, job["decoder"], job["workers"], job["batch_size"])
    return read_epochs(
        lambda: form.read(folder / name, setting), job["epochs"], digest=job["digest"]
    )


def in_child(job: dict[str, Any]) -> dict[str, Any]:
    """Runs a job in a process of its own; returns its answer, or why there is none."""
    command = [sys.executable, __file__, job["folder"], "--child", json.dumps(job)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return {"failed": f"no answer within {PATIENCE} s"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["it died"])[-1]}
    # Peers print what they like; the answer stands last.
    return json.loads(done.stdout.splitlines()[-1])


def write_all(names: list[str], folder: Path, tokenizer: str, count: int) -> list[str]:
    """Writes the forms that are not there yet; returns the names of those that are."""
    there = []
    for name in names:
        mark = folder / name / f".{WRITTEN}-{count}"
        if not mark.exists():
            shutil.rmtree(folder / name, ignore_errors=True)
            (folder / name).mkdir()
            job = {"do": "write", "name": name, "folder": str(folder), "tokenizer": tokenizer}
            answer = in_child(job)
            if "failed" in answer:
                print(f"{name}: not run: {answer['failed']}", flush=True)
                continue
            mark.touch()
        there.append(name)
    return there


def warm(folder: Path) -> int:
    """Reads the files under a folder, so that the page cache holds them; returns their bytes."""
    return sum(len(path.read_bytes()) for path in folder.rglob("*") if path.is_file())


def measure(
    jobs: dict[str, dict[str, Any]], number_of_rounds: int, count: int
) -> dict[str, list[Any]]:
    """Reads in interleaved rounds; who fails once is left out. The first compares what was read."""
    answers: dict[str, list[Any]] = {name: [] for name in jobs}
    for number in range(number_of_rounds):
        for name in list(answers):
            warm(Path(jobs[name]["folder"]))
            answer = in_child({**jobs[name], "digest": number == 0})
            if "failed" not in answer and answer["images"] != count:
                answer = {"failed": f"{answer['images']} images of {count} in an epoch"}
            if "failed" in answer:
                print(f"{name}: left out: {answer['failed']}", flush=True)
                del answers[name]
                continue
            answers[name].append(answer)
    digests = {name: rounds[0]["digest"] for name, rounds in answers.items()}
    if len(set(digests.values())) > 1:
        print(f"NOT the same images: {digests}")
    return answers


def versions() -> dict[str, str]:
    """Returns the installed version of every package that plays a part."""
    packages = {
        importlib.import_module(f"loader_formats.{form}").PACKAGE for form in FORMS.values()
    }
    packages |= {"numpy", "orjson", "pillow", "pybase64", "simplejpeg", "torch"}
    installed = {}
    for package in sorted(packages):
        with suppress(PackageNotFoundError):
            installed[package] = version(package)
    return installed


def main(options: argparse.Namespace) -> None:
    if options.child:
        print("\n" + json.dumps(child(options.child)))
    else:
        run(options)


def run(options: argparse.Namespace) -> None:
    folder: Path = options.folder.resolve()
    make_images(options.pictures, folder / "source", options.images)
    wanted = ["packkit", "json-files"] if options.raw else options.only
    there = write_all(wanted, folder, options.tokenizer, options.images)
    job = {
        "do": "raw" if options.raw else "read",
        "folder": str(folder),
        "epochs": EPOCHS,
        "decoder": options.decoder,
        "workers": options.workers,
        "batch_size": options.batch_size,
    }
    jobs = {name: {**job, "name": name} for name in (RAW if options.raw else there)}
    answers = measure(jobs, options.rounds, options.images)
    if not answers:
        sys.exit("no loader could be run")
    rows = summary(answers)
    sizes = [path.stat().st_size for path in (folder / "source/images").iterdir()]
    mean = sum(sizes) / len(sizes) / 1000
    print(f"{len(sizes):,} JPEGs, mean {mean:.1f} kB; {options.rounds} rounds")
    print(", ".join(f"{package} {number}" for package, number in versions().items()))
    if options.raw:
        print_costs(rows)
    else:
        print_rates(rows, {name: warm(folder / name) for name in rows})
    settings = {name: job[name] for name in ("do", "decoder", "workers", "batch_size")}
    report = Report(options, versions(), images=len(sizes), **settings)
    add_rows(report, answers)


if __name__ == "__main__":
    main(OPTIONS)
