"""A bare PyTorch loop over PackLoader.

Stopped anywhere, it goes on with the very next pack, and its ledger proves it:

    make demo
    python examples/plain_loop.py --steps 10
    python examples/plain_loop.py --steps 99 --resume    # on to the end of the epoch
"""

import argparse
import json
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.functional import scaled_dot_product_attention as attend

from packkit import PackBatch, PackLoader, check_ledger
from packkit.loading import IGNORED

IDS, WIDTH = 4096, 64  # ids are folded into a toy vocabulary, so that a step takes a moment


class TinyModel(nn.Module):
    """Token embeddings, images as their mean colour, one layer of attention within samples."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(IDS, WIDTH), nn.Linear(WIDTH, IDS)
        self.see = nn.Linear(3, WIDTH)

    def loss(self, batch: PackBatch) -> Tensor:
        """Returns the sum of the losses of all labels that are trained."""
        hidden = self.embed(batch.input_ids % IDS)
        if len(batch.image_slots):
            slots = [torch.arange(first, first + n) for first, n in batch.image_slots.tolist()]
            images = self.see(batch.pixel_values.float().mean((2, 3)) / 127.5 - 1)
            images = images.repeat_interleave(batch.image_slots[:, 1], 0)
            hidden = hidden.index_copy(0, torch.cat(slots), images)
        # One sample at a time; on a GPU give cu_seqlens and max_seqlen to a varlen kernel instead.
        samples = hidden[None].split(batch.cu_seqlens.diff().tolist(), dim=1)
        hidden = hidden + torch.cat([attend(x, x, x, is_causal=True)[0] for x in samples])
        # Token i predicts label i + 1; a sample's first label is ignored, so no token predicts it.
        labels = batch.labels[1:]
        is_trained = labels != IGNORED
        logits = self.head(hidden[:-1][is_trained])
        return cross_entropy(logits, labels[is_trained] % IDS, reduction="sum")


def main() -> None:
    parser = argparse.ArgumentParser(description="A bare PyTorch loop over PackLoader.")
    parser.add_argument("packs", nargs="?", default="demo/packs")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("demo/run"), help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on where the run stopped")
    options = parser.parse_args()
    weights, position, ledger = map(options.out.joinpath, ("model.pt", "loader.json", "ledger"))
    torch.manual_seed(0)
    model = TinyModel()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    loader = PackLoader(options.packs, packs_per_step=2, image_size=168, ledger=ledger)
    if options.resume:
        model.load_state_dict(torch.load(weights, weights_only=True))
        loader.load_state_dict(json.loads(position.read_text()))
    for batch in islice(loader, options.steps):
        loss = model.loss(batch) / max(batch.num_targets, 1)  # of all ranks, if there are several
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"step {batch.step}: packs {batch.pack_ids.tolist()}, loss {loss:.3f}", flush=True)
    torch.save(model.state_dict(), weights)
    position.write_text(json.dumps(loader.state_dict(), indent=2))
    print("ledger:", check_ledger(ledger, [options.packs]).problems or "no pack lost, none twice")


if __name__ == "__main__":
    main()
