"""A DataLoader over PackStream, stopped inside an epoch, goes on with another number of workers.

    make demo
    python examples/dataloader_stream.py --steps 10

Takes some steps with two workers, keeps the state of the last batch, and goes on from it in a new
loader, with one worker, to the end of the epoch.
"""

import argparse
import json
from itertools import islice
from typing import Any

from torch.utils.data import DataLoader

from packkit import PackBatch, PackDataset, PackSampler, PackStream


def make_loader(packs: str, state: dict[str, Any] | None, workers: int) -> DataLoader[PackBatch]:
    """Returns a loader that starts at the beginning of training, or at a saved state."""
    dataset = PackDataset(packs, image_size=168)
    stream = PackStream(dataset, PackSampler(dataset, packs_per_step=2))
    if state is not None:
        stream.load_state_dict(state)
    # The stream yields whole batches: batch_size=None. Workers copy the stream, so each further
    # epoch has to be set by stream.set_epoch(epoch).
    return DataLoader(stream, batch_size=None, num_workers=workers)


def main() -> None:
    parser = argparse.ArgumentParser(description="A DataLoader over PackStream.")
    parser.add_argument("packs", nargs="?", default="demo/packs")
    parser.add_argument("--steps", type=int, default=10)
    options = parser.parse_args()
    state = None
    for batch in islice(make_loader(options.packs, state, workers=2), options.steps):
        print(f"step {batch.step}: packs {batch.pack_ids.tolist()}", flush=True)
        # The state of training once this batch is consumed; it belongs in the checkpoint.
        state = batch.state
    checkpoint = json.dumps(state)
    print(f"goes on with one worker, from a state of {len(checkpoint)} bytes")
    for batch in make_loader(options.packs, json.loads(checkpoint), workers=1):
        print(f"step {batch.step}: packs {batch.pack_ids.tolist()}", flush=True)


if __name__ == "__main__":
    main()
