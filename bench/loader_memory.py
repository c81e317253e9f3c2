"""Memory at the end of each epoch: of the loader's threads, and of a DataLoader's workers.

A loader that keeps what it read grows from epoch to epoch; so do worker processes that copy, page
by page, what they share with their parent. Each way of loading runs in a process of its own, and
its memory is counted with that of its workers, a page that several share once in all (PSS; Linux).
The pixels of a batch are some 10 MB, of which the allocator keeps a few blocks or gives them back:
what tells a leak from that is many epochs.

    python bench/loader_memory.py demo/packs --epochs 3
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

from measuring.processes import family, shared_out_bytes
from measuring.report import Report, bench_parser, print_table


def with_threads(packs: str, workers: int, decoder: str) -> Iterator[Any]:
    """Yields, epoch after epoch, what to iterate over."""
    from packkit import PackLoader

    loader = PackLoader(packs, packs_per_step=1, threads=workers, decoder=decoder)
    while True:
        yield loader


def with_workers(packs: str, workers: int, decoder: str) -> Iterator[Any]:
    """Yields, epoch after epoch, what to iterate over; its workers stay alive."""
    from torch.utils.data import DataLoader

    from packkit import PackDataset, PackSampler, PackStream

    dataset = PackDataset(packs, decoder=decoder)
    stream = PackStream(dataset, PackSampler(dataset, packs_per_step=1))
    loader = DataLoader(stream, batch_size=None, num_workers=workers, persistent_workers=True)
    while True:
        yield loader


WAYS: dict[str, Callable[[str, int, str], Iterator[Any]]] = {
    "PackLoader, threads": with_threads,
    "DataLoader over PackStream, workers": with_workers,
}


def watch(way: str, options: argparse.Namespace) -> None:
    """Reads epochs; of each notes its packs, its processes and their memory."""
    report = Report(options, packs=options.packs, workers=options.workers, decoder=options.decoder)
    loaders, cells, before = WAYS[way](options.packs, options.workers, options.decoder), [], None
    for epoch, loader in zip(range(options.epochs), loaders, strict=False):
        packs_seen = {int(batch.pack_ids[0]) for batch in loader}
        gc.collect()
        size = shared_out_bytes(os.getpid()) / 2**20
        report.add("end of an epoch", way, "memory (PSS)", "MiB", size, epoch=epoch)
        growth = "" if before is None else f"{size - before:+.1f}"
        before = size
        cells.append(
            (epoch, f"{len(packs_seen):,}", len(family(os.getpid())), f"{size:.1f}", growth)
        )
    print(way)
    print_table(("epoch", "packs", "processes", "MiB", "growth"), cells)


def main() -> None:
    parser = bench_parser(__doc__)
    parser.add_argument("packs", help="a pack set")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2, help="threads, or worker processes")
    parser.add_argument("--decoder", choices=("pillow", "turbo"), default="turbo")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        watch(options.way, options)
        return
    for way in WAYS:
        subprocess.run([sys.executable, *sys.argv, "--way", way], check=True)


if __name__ == "__main__":
    main()
