"""LitData: binary chunks that lie on a local disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from loader_formats.base import CHUNK_SIZE, Reading, Sample, Setting
from loader_formats.images import read_samples

PACKAGE = "litdata"


def as_item(sample: Sample) -> dict[str, Any]:
    return {"image": sample.jpeg, "caption": sample.caption}


def write(source: Path, folder: Path, tokenizer: str) -> None:
    import litdata

    litdata.optimize(
        fn=as_item,
        inputs=list(read_samples(source)),
        output_dir=str(folder),
        chunk_bytes=CHUNK_SIZE,
        num_workers=1,
    )


def read(folder: Path, setting: Setting) -> Reading:
    import litdata

    def prepare(item: dict[str, Any]) -> dict[str, Any]:
        return {**item, "image": setting.decode(item["image"])}

    dataset = litdata.StreamingDataset(str(folder), shuffle=False, transform=prepare)
    loader = litdata.StreamingDataLoader(
        dataset,
        batch_size=setting.batch_size,
        num_workers=setting.workers,
        persistent_workers=True,
    )
    return Reading(loader, lambda batch: batch["image"])
