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

from loader_processes import family, shared_out_bytes


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


def watch(way: str, packs: str, epochs: int, workers: int, decoder: str) -> None:
    """Reads epochs; after each prints its batches, its processes and their memory."""
    print(way)
    before = None
    for epoch, loader in zip(range(epochs), WAYS[way](packs, workers, decoder), strict=False):
        packs_seen = {int(batch.pack_ids[0]) for batch in loader}
        gc.collect()
        size = shared_out_bytes(os.getpid())
        growth = "" if before is None else f"  {(size - before) / 2**20:+7.1f}"
        before = size
        print(
            f"  epoch {epoch}: {len(packs_seen):6,} packs  {len(family(os.getpid()))} processes  "
            f"{size / 2**20:8.1f} MiB{growth}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("packs", help="a pack set")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2, help="threads, or worker processes")
    parser.add_argument("--decoder", choices=("pillow", "turbo"), default="turbo")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        watch(given.way, given.packs, given.epochs, given.workers, given.decoder)
        return
    for way in WAYS:
        subprocess.run([sys.executable, *sys.argv, "--way", way], check=True)


if __name__ == "__main__":
    main()
