"""The StatefulDataLoader of torchdata over PackStream: it saves the state of its workers itself.

    make demo
    pip install torchdata
    python examples/stateful_dataloader.py --steps 10

Takes some steps, saves the state of the loader with torch.save, and goes on from it in a new loader
to the end of the epoch. The number of workers must stay the same, unlike in dataloader_stream.py.
"""

import argparse
import io
from itertools import islice

import torch
from torchdata.stateful_dataloader import StatefulDataLoader

from packkit import PackBatch, PackDataset, PackSampler, PackStream


def make_loader(packs: str) -> StatefulDataLoader[PackBatch]:
    """Returns a loader that starts at the beginning of training."""
    dataset = PackDataset(packs, image_size=168)
    stream = PackStream(dataset, PackSampler(dataset, packs_per_step=2))
    # The stream yields whole batches: batch_size=None.
    return StatefulDataLoader(stream, batch_size=None, num_workers=2)


def main() -> None:
    parser = argparse.ArgumentParser(description="A StatefulDataLoader over PackStream.")
    parser.add_argument("packs", nargs="?", default="demo/packs")
    parser.add_argument("--steps", type=int, default=10)
    options = parser.parse_args()
    loader = make_loader(options.packs)
    for batch in islice(loader, options.steps):
        print(f"step {batch.step}: packs {batch.pack_ids.tolist()}", flush=True)
    checkpoint = io.BytesIO()
    torch.save(loader.state_dict(), checkpoint)
    print(f"goes on in a new loader, from a state of {len(checkpoint.getvalue())} bytes")
    checkpoint.seek(0)
    loader = make_loader(options.packs)
    loader.load_state_dict(torch.load(checkpoint, weights_only=True))
    for batch in loader:
        print(f"step {batch.step}: packs {batch.pack_ids.tolist()}", flush=True)


if __name__ == "__main__":
    main()
