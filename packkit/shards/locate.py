"""Where the packs of a set stand: shards of our own, a bare file of packs, or a foreign folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from packkit.errors import FormatError
from packkit.shards.index import ShardIndex, index_path
from packkit.shards.manifest import MANIFEST, Manifest
from packkit.shards.scan import scan_packs

__all__ = ["Shard", "locate"]


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard of a set.

    Attributes:
        name: how errors call it.
        path: a file of packs, or the folder that the names of pack files start from.
        is_folder: whether every pack has a file of its own.
        index_checksum: xxh3_64 of the index, where a manifest states it.
    """

    name: str
    path: Path
    is_folder: bool
    index_checksum: str | None

    @property
    def index_path(self) -> Path:
        """Where its index stands, or would stand."""
        return index_path(self.path, is_folder=self.is_folder)

    def open_index(self) -> ShardIndex:
        """Maps the index; of packs that have none, makes it by one scan of their text.

        Raises:
            ChecksumError: the index is not the one that was written.
            FormatError: neither index nor packs can be read.
        """
        if self.index_checksum is not None or self._has_current_index():
            return ShardIndex.open(self.index_path, checksum=self.index_checksum)
        return ShardIndex.from_buffer(self.scan(None), self.index_path)

    def scan(self, image_tokens: Callable[..., Sequence[int]] | None) -> bytes:
        """Returns the bytes of an index made from the packs alone."""
        return scan_packs(self.path, is_folder=self.is_folder, image_tokens=image_tokens)

    def _has_current_index(self) -> bool:
        index = self.index_path
        return index.exists() and (
            self.is_folder or index.stat().st_mtime_ns >= self.path.stat().st_mtime_ns
        )


def locate(path: Path) -> tuple[list[Shard], Manifest | None]:
    """Finds the shards under a path.

    Args:
        path: a pack set, a ``.jsonl`` of packs, or a folder of pack files such as Open-Qwen2VL's.

    Raises:
        FormatError: there are no packs, or the set is not whole.
    """
    if path.is_file():
        return [Shard(path.name, path, False, None)], None
    if (path / MANIFEST).is_file():
        manifest = Manifest.read(path)
        is_folder = manifest.layout == "files"
        ending = "" if is_folder else ".jsonl"
        names = [entry.name + ending for entry in manifest.shards]
        return [
            Shard(name, path / name, is_folder, entry.index_checksum)
            for name, entry in zip(names, manifest.shards, strict=True)
        ], manifest
    if next(path.glob("shard-*"), None) is not None:
        raise FormatError(path, f"has shards but no {MANIFEST}: the run that makes it is not done")
    if path.is_dir() and next(path.rglob("*_packed.json"), None) is not None:
        return [Shard(path.name, path, True, None)], None
    raise FormatError(path, "holds neither a manifest.json nor packs (*.jsonl, *_packed.json)")
