"""One of the processes of tests/loading/test_accelerate.py: trains nothing, says what it took."""

import json
import sys
from itertools import islice

import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration
from torch.utils.data import DataLoader

from packkit.loading import (
    BatchLedger,
    PackDataset,
    PackLoader,
    PackSampler,
    PackStream,
    collate_for_transformers,
    collate_packs,
)


def epochs_of(loader, sampler, folder, count=3):
    """The ids of packs of each batch, for each epoch; notes the batches in a ledger."""
    ledger, epochs = BatchLedger(folder, sampler), []
    for _ in range(count):
        packs = []
        # No batch more is asked for than an epoch has.
        for batch in islice(loader, len(loader)):
            ledger.note(batch)
            packs.append(batch.pack_ids.tolist())
        ledger.on_epoch_end()
        epochs.append(packs)
    return epochs


def error_of(function, *values):
    try:
        function(*values)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def run(packs, folder):
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

    def take(way, loader, prepare=accelerators["default"].prepare):
        prepared, sampler = prepare(loader), getattr(loader, "batch_sampler", None)
        assert len(prepared) == 8
        taken[way] = epochs_of(prepared, sampler or loader.sampler, f"{folder}/{way}")

    take("left out", loader_of(), prepare=lambda loader: loader)
    take("default", loader_of(rank="all"))
    take("uneven", loader_of(rank="all"), accelerators["uneven"].prepare)
    take("balance", loader_of(rank="all", balance=True))
    take("workers", loader_of(2, rank="all"))
    take("PackLoader", PackLoader(packs, packs_per_step=3, image_size=16))
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
    packs, folder = sys.argv[1:]
    said = run(packs, folder)
    with open(f"{folder}/said.{torch.distributed.get_rank()}", "w") as file:
        json.dump(said, file)
    torch.distributed.destroy_process_group()
