"""One of the processes of tests/loading/test_accelerate.py: trains nothing, says what it took."""

import json
import sys

import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration
from torch.utils.data import DataLoader

from packkit.loading import (
    PackDataset,
    PackLoader,
    PackSampler,
    PackStream,
    collate_for_transformers,
    collate_packs,
)


def epochs_of(loader, count=2):
    """The ids of packs of each batch, for each epoch."""
    return [[batch.pack_ids.tolist() for batch in loader] for _ in range(count)]


def error_of(function, *values):
    try:
        function(*values)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def run(packs):
    dataset = PackDataset(packs, image_size=16)
    accelerators = {
        name: Accelerator(cpu=True, dataloader_config=DataLoaderConfiguration(**options))
        for name, options in {
            "default": {},
            "uneven": {"even_batches": False},
            "split": {"split_batches": True},
            "dispatch": {"dispatch_batches": True},
        }.items()
    }

    def loader_of(workers=0, collate=collate_packs, **options):
        sampler = PackSampler(dataset, packs_per_step=3, **options)
        return DataLoader(dataset, batch_sampler=sampler, collate_fn=collate, num_workers=workers)

    taken, errors = {}, {}
    taken["left out"] = epochs_of(loader_of())
    for name in ("default", "uneven"):
        prepared = accelerators[name].prepare(loader_of(rank="all"))
        assert len(prepared) == 8
        taken[name] = epochs_of(prepared)
    prepare = accelerators["default"].prepare
    taken["balance"] = epochs_of(prepare(loader_of(rank="all", balance=True)))
    taken["workers"] = epochs_of(prepare(loader_of(2, rank="all")))
    taken["PackLoader"] = epochs_of(prepare(PackLoader(packs, packs_per_step=3, image_size=16)))
    for name in ("default", "uneven", "split"):
        prepare, alone = accelerators[name].prepare, loader_of(rank=0, world_size=1)
        errors[f"{name}, sampler of a rank"] = error_of(prepare, loader_of())
        errors[f"{name}, sampler of one"] = error_of(prepare, alone)
    errors["split, all"] = error_of(accelerators["split"].prepare, loader_of(rank="all"))
    errors["all, left out"] = error_of(list, loader_of(rank="all"))
    # The process that deals fails, and the other would wait for it.
    if torch.distributed.get_rank() == 0:
        stream = PackStream(dataset, PackSampler(dataset, packs_per_step=3))
        for name, loader in {
            "dispatch, all": loader_of(rank="all"),
            "dispatch, sampler of a rank": loader_of(),
            "dispatch, transformers": loader_of(collate=collate_for_transformers),
            "dispatch, stream": DataLoader(stream, batch_size=None),
        }.items():
            errors[name] = error_of(list, accelerators["dispatch"].prepare(loader))
    return {"taken": taken, "errors": errors}


if __name__ == "__main__":
    packs, out = sys.argv[1:]
    said = run(packs)
    with open(f"{out}.{torch.distributed.get_rank()}", "w") as file:
        json.dump(said, file)
    torch.distributed.destroy_process_group()
