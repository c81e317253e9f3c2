"""Hugging Face datasets: Parquet files, streamed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader

from loader_formats.base import CHUNK_SIZE, Reading, Setting
from loader_formats.images import read_samples

PACKAGE = "datasets"


def write(source: Path, folder: Path, tokenizer: str) -> None:
    import datasets

    features = datasets.Features(
        {"image": datasets.Image(decode=False), "caption": datasets.Value("string")}
    )
    samples = list(read_samples(source))
    columns = {
        "image": [{"bytes": sample.jpeg, "path": None} for sample in samples],
        "caption": [sample.caption for sample in samples],
    }
    table = datasets.Dataset.from_dict(columns, features=features)
    files = -(-sum(len(sample.jpeg) for sample in samples) // CHUNK_SIZE)
    for number in range(files):
        shard = table.shard(files, number, contiguous=True)
        shard.to_parquet(folder / f"{number:05}.parquet")


def read(folder: Path, setting: Setting) -> Reading:
    import datasets

    def prepare(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "image": setting.decode(row["image"]["bytes"])}

    files = sorted(map(str, folder.glob("*.parquet")))
    rows = datasets.load_dataset("parquet", data_files=files, split="train", streaming=True)
    rows = rows.cast_column("image", datasets.Image(decode=False)).map(prepare)
    loader = DataLoader(
        rows,
        batch_size=setting.batch_size,
        num_workers=setting.workers,
        persistent_workers=True,
    )
    return Reading(loader, lambda batch: batch["image"])
