"""The DataLoader of PyTorch over PackDataset: worker processes, each pack one item.

    make demo
    python examples/dataloader_map.py --steps 99    # a whole epoch

The sampler runs ahead of training by what the workers prefetch. To go on after a stop inside an
epoch, load the state of the last batch into it: sampler.load_state_dict(batch.state).
"""

import argparse
from itertools import islice

from torch.utils.data import DataLoader

from packkit import PackBatch, PackDataset, PackSampler, collate_packs


def main() -> None:
    parser = argparse.ArgumentParser(description="A DataLoader over PackDataset.")
    parser.add_argument("packs", nargs="?", default="demo/packs")
    parser.add_argument("--steps", type=int, default=10)
    options = parser.parse_args()
    dataset = PackDataset(options.packs, image_size=168)
    # Rank and number of ranks are those of torch.distributed, where it is initialised.
    sampler = PackSampler(dataset, packs_per_step=2)
    loader: DataLoader[PackBatch] = DataLoader(
        dataset, batch_sampler=sampler, collate_fn=collate_packs, num_workers=2
    )
    print(f"{len(dataset)} packs, {len(loader)} steps an epoch")
    for step, batch in enumerate(islice(loader, options.steps)):
        print(
            f"step {step}: packs {batch.pack_ids.tolist()}, {batch.tokens} tokens of "
            f"{batch.num_segments} samples, {len(batch.pixel_values)} images",
            flush=True,
        )


if __name__ == "__main__":
    main()
