"""The standard library: one JSON file a pack, read by json and base64 in a plain Dataset."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset

from loader_formats import packs
from loader_formats.base import Reading, Setting

PACKAGE = "torch"


def write(source: Path, folder: Path, tokenizer: str) -> None:
    packs.write(source, folder, tokenizer, storage="files")


class PackFiles(Dataset):
    """The images of one pack an item."""

    def __init__(self, folder: Path, setting: Setting) -> None:
        self.files = sorted(folder.glob("shard-*/pack-*.json"))
        self.decode = setting.decode

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: int) -> torch.Tensor:
        pack = json.loads(self.files[number].read_bytes())
        images = [image for sample in pack["data"] for image in sample["images"]]
        return torch.stack([torch.from_numpy(self.decode(base64.b64decode(i))) for i in images])


def read(folder: Path, setting: Setting) -> Reading:
    loader = DataLoader(
        PackFiles(folder, setting),
        batch_size=None,
        num_workers=setting.workers,
        persistent_workers=True,
    )
    return Reading(loader, lambda batch: batch)
