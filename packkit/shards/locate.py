"""Where the packs of a set stand: shards with a manifest, a bare file, or a foreign folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from packkit.base.errors import FormatError
from packkit.shards.manifest import MANIFEST, Manifest

_FOREIGN = "*_packed.json"


@dataclass(frozen=True, slots=True)
class Shard:
    """Where one shard of a set stands.

    Attributes:
        name: Name of the shard, as errors call it.
        path: File of packs, or the folder that the names of pack files start from.
        is_folder: Whether every pack has a file of its own.
        index_checksum: Checksum (xxh3_64) of the index in hex, where a manifest states it.
        packs: Number of packs, where a manifest states it.
    """

    name: str
    path: Path
    is_folder: bool
    index_checksum: str | None = None
    packs: int | None = None

    @property
    def index_path(self) -> Path:
        """Path of the index, whether it exists or not."""
        return index_path(self.path, is_folder=self.is_folder)

    @property
    def has_index(self) -> bool:
        """Whether there must be an index, or there is one that is not older than its packs."""
        if self.index_checksum is not None:
            return True
        index = self.index_path
        return index.exists() and (
            self.is_folder or index.stat().st_mtime_ns >= self.path.stat().st_mtime_ns
        )

    def place(self, pack: int, file: str | None) -> str:
        """Returns how errors call one of its packs.

        Args:
            pack: Number of the pack in the shard.
            file: Name of the pack's file, where every pack has its own.
        """
        return f"{self.name}: pack {pack}" if file is None else f"{self.name}/{file}"

    def pack_files(self) -> list[str]:
        """Returns the names of the files of a folder of packs, in order."""
        files = [*self.path.glob("pack-*.json"), *self.path.rglob(_FOREIGN)]
        return sorted(file.relative_to(self.path).as_posix() for file in files)


def index_path(shard: Path, *, is_folder: bool) -> Path:
    """Returns where the index of a shard stands.

    Args:
        shard: File of packs, or folder of files with one pack each.
        is_folder: Whether the shard is a folder.

    >>> index_path(Path("packs/shard-00000.jsonl"), is_folder=False).as_posix()
    'packs/shard-00000.index.arrow'
    >>> index_path(Path("packs/shard-00000"), is_folder=True).as_posix()
    'packs/shard-00000/packs.index.arrow'
    """
    return shard / "packs.index.arrow" if is_folder else shard.with_suffix(".index.arrow")


def locate(path: Path) -> tuple[list[Shard], Manifest | None]:
    """Finds the shards under a path.

    Args:
        path: Pack set, a ``.jsonl`` of packs, or a folder of Open-Qwen2VL's pack files.

    Returns:
        The shards, and the manifest of a set that packkit wrote.

    Raises:
        FormatError: There are no packs, or the set is not whole.
    """
    if path.is_file():
        return [Shard(path.name, path, False)], None
    if (path / MANIFEST).is_file():
        manifest = Manifest.read(path)
        is_folder = manifest.storage == "files"
        names = [entry.name + ("" if is_folder else ".jsonl") for entry in manifest.shards]
        return [
            Shard(name, path / name, is_folder, entry.index_checksum, entry.packs)
            for name, entry in zip(names, manifest.shards, strict=True)
        ], manifest
    if next(path.glob("shard-*"), None) is not None:
        raise FormatError(path, f"has shards but no {MANIFEST}: the run that makes it is not done")
    if next(path.rglob(_FOREIGN), None) is not None:
        return [Shard(path.name, path, True)], None
    raise FormatError(path, f"holds neither a {MANIFEST} nor packs (*.jsonl, {_FOREIGN})")
