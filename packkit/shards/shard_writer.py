"""Writing packs so that a reader sees a whole shard or none.

A shard grows under a temporary name. To commit it, its packs are flushed to disk, its index is
written whole, and last the packs get their name. So packs that have their name have their index,
and a crash leaves temporary files or an index without packs, which nothing reads. The manifest,
written after the last shard, decides what counts.
"""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self

import xxhash

from packkit.base.errors import InputError
from packkit.base.files import make_folder, names_in_errors, sync_folder, write_atomically
from packkit.shards.index_columns import MeasuredSample, make_row
from packkit.shards.index_table import IndexBuilder
from packkit.shards.locate import index_path
from packkit.shards.manifest import ShardEntry
from packkit.shards.pack_json import encode_pack
from packkit.shards.set_files import remove_pack_folder


class ShardWriter:
    """Writes one shard. Leaving the ``with`` block without `commit` leaves nothing behind.

    Args:
        folder: Folder of the pack set.
        name: Name of the shard, such as ``shard-00000``.
        storage: ``shards`` for one file of JSON lines, ``files`` for a folder of one file a pack.
        first_pack: Number of the first pack in the set, from which files are named.

    Raises:
        InputError: There is no such storage.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        storage: Literal["shards", "files"] = "shards",
        first_pack: int = 0,
    ) -> None:
        if storage not in _STORES:
            raise InputError(f"storage must be one of {', '.join(_STORES)}, got {storage!r}")
        self._name = name
        self._store = _STORES[storage](Path(folder), name, first_pack)
        self._index = IndexBuilder(is_folder=storage == "files")
        self._tokens = 0
        self._sha256 = hashlib.sha256()

    @property
    def size(self) -> int:
        """Bytes of the packs written so far."""
        return self._store.size

    def write(self, items: Sequence[MeasuredSample]) -> None:
        """Writes one pack.

        Args:
            items: Samples of the pack in the order of their segments, measured.

        Raises:
            SampleError: An image cannot be read.
        """
        text, places = encode_pack([item.sample for item in items], [item.length for item in items])
        offset, file = self._store.append(text, self._sha256)
        row = make_row(text, items, places, offset=offset, file=file)
        self._index.append(row)
        self._tokens += row.pack.tokens

    def commit(self) -> ShardEntry:
        """Flushes the shard and its index to disk and gives them their names."""
        index = self._index.to_bytes()
        self._store.commit(index)
        return ShardEntry(
            name=self._name,
            packs=self._index.packs,
            samples=self._index.samples,
            images=self._index.images,
            tokens=self._tokens,
            bytes=self._store.size,
            sha256=self._sha256.hexdigest(),
            index_checksum=xxhash.xxh3_64_hexdigest(index),
        )

    def abandon(self) -> None:
        """Removes what was written and not committed."""
        self._store.abandon()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abandon()


class _Store(ABC):
    """Where the text of packs goes."""

    def __init__(self, folder: Path, name: str, first_pack: int) -> None:
        self._folder = folder
        self._name = name
        self._next_pack = first_pack
        self.size = 0
        make_folder(folder)

    @abstractmethod
    def append(self, text: bytes, digest: Any) -> tuple[int, str | None]:  # noqa: ANN401
        """Stores a pack; returns its offset and the name of its own file, if it has one."""

    @abstractmethod
    def commit(self, index: bytes) -> None:
        """Makes the shard whole."""

    @abstractmethod
    def abandon(self) -> None:
        """Removes what is not committed."""


class _LineStore(_Store):
    """One file, a pack a line."""

    def __init__(self, folder: Path, name: str, first_pack: int) -> None:
        super().__init__(folder, name, first_pack)
        self._path = folder / f"{name}.jsonl"
        self._temporary = folder / f"{name}.jsonl.tmp"
        self._has_index = False
        self._file: BinaryIO = open(self._temporary, "wb", buffering=0)  # noqa: SIM115

    def append(self, text: bytes, digest: Any) -> tuple[int, str | None]:  # noqa: ANN401
        offset = self.size
        for part in (text, b"\n"):
            with names_in_errors(self._temporary):
                _write_all(self._file, part)
            digest.update(part)
        self.size += len(text) + 1
        return offset, None

    def commit(self, index: bytes) -> None:
        with names_in_errors(self._temporary):
            os.fsync(self._file.fileno())
            self._file.close()
        self._has_index = True
        write_atomically(index_path(self._path, is_folder=False), index)
        os.rename(self._temporary, self._path)
        self._has_index = False
        sync_folder(self._folder)

    def abandon(self) -> None:
        self._file.close()
        self._temporary.unlink(missing_ok=True)
        if self._has_index:
            # Written for packs that did not get their name; perhaps under a temporary name itself.
            for path in self._folder.glob(f"{self._name}.index.arrow*"):
                path.unlink()


class _FileStore(_Store):
    """A folder, a file a pack: the paper's literal form."""

    def __init__(self, folder: Path, name: str, first_pack: int) -> None:
        super().__init__(folder, name, first_pack)
        self._path = folder / name
        self._temporary = folder / f"{name}.tmp"
        remove_pack_folder(self._temporary)
        self._temporary.mkdir()

    def append(self, text: bytes, digest: Any) -> tuple[int, str | None]:  # noqa: ANN401
        file = f"pack-{self._next_pack:08d}.json"
        path = self._temporary / file
        with names_in_errors(path), open(path, "wb", buffering=0) as target:
            _write_all(target, text)
            os.fsync(target.fileno())
        digest.update(text)
        self._next_pack += 1
        self.size += len(text)
        return 0, file

    def commit(self, index: bytes) -> None:
        write_atomically(index_path(self._temporary, is_folder=True), index)
        remove_pack_folder(self._path)
        os.rename(self._temporary, self._path)
        sync_folder(self._folder)

    def abandon(self) -> None:
        remove_pack_folder(self._temporary)


_STORES: dict[str, type[_Store]] = {"shards": _LineStore, "files": _FileStore}


def _write_all(file: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
