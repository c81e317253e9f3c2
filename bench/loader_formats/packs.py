"""packkit: shards of packs, batches made by threads."""

from __future__ import annotations

from pathlib import Path

from loader_formats.base import Reading, Setting

PACKAGE = "packkit"


def write(source: Path, folder: Path, tokenizer: str, storage: str = "shards") -> None:
    from packkit import PackConfig, pack

    config = PackConfig(
        max_len=4096, tokenizer=tokenizer, image_tokens=144, storage=storage, overwrite=True
    )
    report = pack(source / "captions.jsonl", folder, config)
    assert not report.samples_rejected, report


def read(folder: Path, setting: Setting) -> Reading:
    """A batch holds one pack, and ids, labels and segments beside the images."""
    from packkit import PackLoader

    loader = PackLoader(
        folder,
        packs_per_step=1,
        threads=setting.workers,
        image_size=setting.size,
        decoder=setting.decoder,
        shuffle="none",
    )
    return Reading(loader, lambda batch: batch.pixel_values)
