"""WebDataset: tar files, batched in the workers, as its documentation advises."""

from __future__ import annotations

from pathlib import Path

import torch

from loader_formats.base import CHUNK_SIZE, Reading, Setting
from loader_formats.images import read_samples

PACKAGE = "webdataset"


def write(source: Path, folder: Path, tokenizer: str) -> None:
    import webdataset

    pattern = str(folder / "%05d.tar")
    with webdataset.ShardWriter(pattern, maxsize=CHUNK_SIZE, verbose=0) as writer:
        for sample in read_samples(source):
            writer.write({"__key__": sample.name, "jpg": sample.jpeg, "txt": sample.caption})


def read(folder: Path, setting: Setting) -> Reading:
    import webdataset

    def prepare(jpeg: bytes, text: bytes) -> tuple[torch.Tensor, str]:
        return torch.from_numpy(setting.decode(jpeg)), text.decode()

    tars = sorted(map(str, folder.glob("*.tar")))
    dataset = (
        webdataset.WebDataset(tars, shardshuffle=False)
        .to_tuple("jpg", "txt")
        .map(lambda pair: prepare(*pair))
        .batched(setting.batch_size)
    )
    loader = webdataset.WebLoader(
        dataset, batch_size=None, num_workers=setting.workers, persistent_workers=True
    )
    return Reading(loader, lambda batch: batch[0])
