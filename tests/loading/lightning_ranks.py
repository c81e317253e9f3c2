"""One of the processes of tests/loading/test_lightning.py: three epochs by each door."""

import json
import os
import sys
import warnings

import lightning
import torch
from torch.utils.data import DataLoader

from packkit.loading import (
    BatchLedger,
    PackDataset,
    PackLoader,
    PackSampler,
    PackStream,
    collate_packs,
)

EPOCHS = 3


class Data(lightning.LightningDataModule):
    """Makes the loader once the process group is formed, as docs/loading.md says."""

    def __init__(self, packs, door, workers):
        super().__init__()
        self._packs, self._door, self._workers = packs, door, workers
        self.stream_has_workers = door == "stream" and workers > 0

    def train_dataloader(self):
        if self._door == "loader":
            self.loader = PackLoader(self._packs, packs_per_step=4, image_size=16)
            self.sampler = self.loader.sampler
            return self.loader
        dataset = PackDataset(self._packs, image_size=16)
        self.sampler = PackSampler(dataset, packs_per_step=4)
        how = {"num_workers": self._workers, "persistent_workers": self._workers > 0}
        if self._door == "map":
            return DataLoader(dataset, batch_sampler=self.sampler, collate_fn=collate_packs, **how)
        self.stream = PackStream(dataset, self.sampler)
        return DataLoader(self.stream, batch_size=None, **how)


class Model(lightning.LightningModule):
    """A parameter, and a ledger of what it was trained on."""

    def __init__(self, folder):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self._folder = folder

    def on_train_start(self):
        self.ledger = BatchLedger(self._folder, self.trainer.datamodule.sampler)
        self.steps = [0] * EPOCHS

    def on_train_epoch_start(self):
        # Workers do not know what was taken of them; no other door needs a word.
        if self.trainer.datamodule.stream_has_workers:
            self.trainer.datamodule.stream.set_epoch(self.current_epoch)

    def training_step(self, batch, _):
        self.ledger.note(batch)
        self.steps[self.current_epoch] += 1
        return self.weight * batch.num_targets

    def on_train_epoch_end(self):
        self.ledger.on_epoch_end()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def run(packs, folder):
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    steps = {}
    for door, workers in (("loader", 0), ("map", 0), ("map", 2), ("stream", 0), ("stream", 2)):
        name = f"{door}-{workers}"
        model = Model(f"{folder}/{name}")
        trainer = lightning.Trainer(
            accelerator="cpu",
            devices=world_size,
            strategy="ddp" if world_size > 1 else "auto",
            max_epochs=EPOCHS,
            use_distributed_sampler=False,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(model, datamodule=Data(packs, door, workers))
        steps[name] = model.steps
    return steps


if __name__ == "__main__":
    packs, folder = sys.argv[1:]
    warnings.filterwarnings("error", message="rank . did not take")
    steps = run(packs, folder)
    rank = int(os.environ.get("RANK", "0"))
    with open(f"{folder}/steps-{rank}.json", "w") as file:
        json.dump(steps, file)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
