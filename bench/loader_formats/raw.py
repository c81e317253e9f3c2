"""Image files out of packs and no pixels: what reading alone costs, in one process."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import orjson
import pybase64

from loader_formats.base import Reading


def json_and_base64(files: Path, _: Path) -> Iterator[list[bytes]]:
    """The standard library, one file a pack."""
    for path in sorted(files.glob("shard-*/pack-*.json")):
        pack = json.loads(path.read_bytes())
        yield [base64.b64decode(image) for sample in pack["data"] for image in sample["images"]]


def orjson_and_pybase64(_: Path, shards: Path) -> Iterator[list[bytes]]:
    """Fast libraries called as most call them, packs a line each, nothing checked."""
    for path in sorted(shards.glob("shard-*.jsonl")):
        with open(path, "rb") as lines:
            for line in lines:
                pack = orjson.loads(line)
                yield [
                    pybase64.b64decode(image)
                    for sample in pack["data"]
                    for image in sample["images"]
                ]


def packkit(_: Path, shards: Path) -> Iterator[list[bytes]]:
    """Whole packs, every checksum compared."""
    from packkit import PackReader

    with PackReader(shards) as packs:
        for pack in packs:
            yield [image for sample in pack.data for image in sample.images]


def packkit_lazy(_: Path, shards: Path) -> Iterator[list[bytes]]:
    """The same by `PackReader.lazy`: base64 is decoded when an image is wanted."""
    from packkit import PackReader

    with PackReader(shards) as packs:
        for number in range(len(packs)):
            for sample in packs.lazy(number).data:
                yield [sample.image_bytes(image) for image in range(len(sample.images))]


RAW: dict[str, Callable[[Path, Path], Iterator[list[bytes]]]] = {
    "packkit": packkit,
    "packkit, lazy": packkit_lazy,
    "orjson + pybase64": orjson_and_pybase64,
    "json + base64": json_and_base64,
}


class _Epochs:
    """Makes a generator anew for each epoch."""

    def __init__(self, start: Callable[[], Iterator[list[bytes]]]) -> None:
        self._start = start

    def __iter__(self) -> Iterator[list[bytes]]:
        return self._start()


def read_raw(name: str, folder: Path) -> Reading:
    """Opens what the forms `json-files` and `packkit` wrote under a folder."""
    start = partial(RAW[name], folder / "json-files", folder / "packkit")
    return Reading(_Epochs(start), lambda images: images)
