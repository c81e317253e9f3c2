"""Which files of a folder belong to a pack set, and the removal of those and of no others.

Names are never followed: a folder is walked, links left as they are, and what is met there is
compared with what its manifest names. So no manifest, forged or not, leads out of its folder.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import xxhash

from packkit.base.errors import OutputExistsError
from packkit.base.files import sync_folder, update_digest
from packkit.shards.locate import index_path
from packkit.shards.manifest import MANIFEST, REJECTS, Manifest, ShardEntry

RUN = "run.json"
"""Name of the record of a run: in the work folder its job, in the pack set what may differ."""

WORK = ".work"
"""Name of the folder that holds the state of a half-finished run."""

_PACK = re.compile(r"pack-\d{8,}\.json|packs\.index\.arrow")
_ENCODER_FILES = frozenset({"encoder/tokenizer.json", "encoder/encoder.json"})


@dataclass(frozen=True, slots=True)
class SetFiles:
    """The files of a pack set, whole or half-finished, by their paths below its folder.

    Attributes:
        shards: Names of the shards without their ending.
        is_folder: Whether a shard is a folder of one file a pack.
        encoder: Paths of the files of the encoder.
        is_whole: Whether a manifest names them; a half-finished run has temporary files, too.
    """

    shards: Collection[str]
    is_folder: bool
    encoder: Collection[str] = _ENCODER_FILES
    is_whole: bool = False

    @classmethod
    def of_manifest(cls, folder: Path) -> Self:
        """Returns what the manifest in a folder names.

        Raises:
            FormatError: The manifest cannot be read.
        """
        manifest = Manifest.read(folder)
        return cls(
            frozenset(entry.name for entry in manifest.shards),
            manifest.storage == "files",
            frozenset(manifest.encoder_sha256),
            is_whole=True,
        )

    def __contains__(self, path: str) -> bool:
        if not self.is_whole:
            path = path.removesuffix(".tmp")
        if path in (MANIFEST, REJECTS, RUN, "encoder/") or path in self.encoder:
            return True
        if self.is_folder:
            shard, _, pack = path.rpartition("/")
            if not self.is_whole:
                shard = shard.removesuffix(".tmp")
            return shard in self.shards and (not pack or _PACK.fullmatch(pack) is not None)
        for ending in (".jsonl", ".index.arrow"):
            if path.endswith(ending):
                return path.removesuffix(ending) in self.shards
        return False

    def check_alone(self, folder: Path) -> None:
        """Checks that a folder holds these files and no others.

        Raises:
            OutputExistsError: The folder holds another; the first is named.
        """
        for path in _walk(folder):
            if path not in self:
                named = MANIFEST if self.is_whole else "half-finished run"
                detail = f"holds {path}, which its {named} does not name"
                raise OutputExistsError(folder, f"{detail}; nothing was removed")

    def remove(self, folder: Path) -> None:
        """Removes these files, the manifest last, and the folders that they leave empty.

        Raises:
            OutputExistsError: The folder holds another file; nothing is removed.
        """
        self.check_alone(folder)
        # The record of its job goes first: a set that lacks a file must not pass for a whole one.
        paths = sorted({*_walk(folder)} - {MANIFEST}, key=lambda path: (path != RUN, path))
        for path in paths:
            if not path.endswith("/"):
                (folder / path).unlink()
        for parent in sorted({path.rpartition("/")[0] for path in paths} - {""}, reverse=True):
            (folder / parent).rmdir()
        sync_folder(folder)
        (folder / MANIFEST).unlink(missing_ok=True)


def remove_pack_folder(folder: Path) -> None:
    """Removes a shard that is a folder, or what a killed run left of it; none is fine.

    Raises:
        OSError: The folder holds other files than packs.
    """
    if not folder.is_symlink() and folder.is_dir():
        for entry in list(os.scandir(folder)):
            if _PACK.fullmatch(entry.name.removesuffix(".tmp")):
                os.unlink(entry.path)
        folder.rmdir()


def is_intact(folder: Path, entry: ShardEntry, *, is_folder: bool) -> bool:
    """Returns whether a shard and its index are there, and are what was written.

    Args:
        folder: Folder of the pack set.
        entry: What the writer said of the shard.
        is_folder: Whether a shard is a folder of one file a pack.
    """
    shard = folder / (entry.name if is_folder else f"{entry.name}.jsonl")
    packs = sorted(shard.glob("pack-*.json")) if is_folder else [shard]
    digest, checksum = hashlib.sha256(), xxhash.xxh3_64()
    try:
        for path in packs:
            update_digest(digest, path)
        update_digest(checksum, index_path(shard, is_folder=is_folder))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return False
    return (digest.hexdigest(), checksum.hexdigest()) == (entry.sha256, entry.index_checksum)


def _walk(folder: Path, above: str = "") -> Iterator[str]:
    """Yields the files below a folder, and its empty folders with a slash at their end."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if not entry.is_dir(follow_symlinks=False):
            yield above + entry.name
        elif above or entry.name != WORK:
            path = f"{above}{entry.name}/"
            yield from list(_walk(Path(entry.path), path)) or [path]
