"""MosaicML Streaming: MDS shards that lie on a local disk."""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
import types
from pathlib import Path
from typing import Any

from loader_formats.base import CHUNK_SIZE, Reading, Setting
from loader_formats.images import read_samples

PACKAGE = "mosaicml-streaming"


def write(source: Path, folder: Path, tokenizer: str) -> None:
    streaming = _import_streaming()
    columns = {"image": "bytes", "caption": "str"}
    with streaming.MDSWriter(out=str(folder), columns=columns, size_limit=CHUNK_SIZE) as writer:
        for sample in read_samples(source):
            writer.write({"image": sample.jpeg, "caption": sample.caption})


def read(folder: Path, setting: Setting) -> Reading:
    streaming = _import_streaming()

    class Captions(streaming.StreamingDataset):
        def __getitem__(self, number: int) -> dict[str, Any]:
            sample = super().__getitem__(number)
            return {**sample, "image": setting.decode(sample["image"])}

    dataset = Captions(local=str(folder), shuffle=False, batch_size=setting.batch_size)
    loader = streaming.StreamingDataLoader(
        dataset,
        batch_size=setting.batch_size,
        num_workers=setting.workers,
        persistent_workers=True,
    )
    return Reading(loader, lambda batch: batch["image"])


def _import_streaming() -> types.ModuleType:
    """Imports the package, for which names of torchvision are enough.

    It imports torchvision for data sets that nobody asks for here, and many machines have none that
    fits their torch: importing that fails, and leaves parts of itself behind.
    """
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError, OSError):
        for name in [name for name in sys.modules if name.startswith("torchvision")]:
            del sys.modules[name]
        _stub("torchvision", datasets=None)
        _stub("torchvision.datasets", VisionDataset=object)
        _stub("torchvision.transforms")
        _stub("torchvision.transforms.functional", to_tensor=None)
    return importlib.import_module("streaming")


def _stub(name: str, **names: object) -> None:
    module = types.ModuleType(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
    module.__path__ = []
    vars(module).update(names)
    sys.modules[name] = module
