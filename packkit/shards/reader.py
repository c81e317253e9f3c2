"""Reading packs by number, and images by byte range.

A pack's line is read with one call, its images are cut out by the ranges in the index, and only the
rest is parsed. Everything goes through positional reads, so one reader serves many threads, and it
can be pickled and used after a fork.
"""

from __future__ import annotations

import os
import threading
import warnings
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import pybase64
import xxhash
from numpy.typing import NDArray

from packkit.encoding import SampleEncoder
from packkit.errors import ChecksumError, FingerprintError, FormatError
from packkit.schema import Pack
from packkit.shards.index import ShardIndex
from packkit.shards.lines import cut_images, pack_from_record, parse_record, sample_name
from packkit.shards.locate import Shard, locate

__all__ = ["PackReader", "PackSet"]

DEFAULT_CAPACITY = 4096


class PackSet(Protocol):
    """Packs that can be read by number, however they are stored."""

    def __len__(self) -> int:
        """Returns the number of packs."""

    def __getitem__(self, number: int) -> Pack:
        """Returns one pack, its images in memory."""

    def image(self, pack: int, sample: int, image: int) -> bytes:
        """Returns the bytes of one image file."""


class PackReader:
    """The packs of a set.

    Args:
        path: a pack set, a ``.jsonl`` of packs, or a folder of Open-Qwen2VL's ``*_packed.json``.
            Packs without an index are scanned once on first use; `rebuild_index` spares that.
        encoder: for packs that others wrote: their lengths are counted again with it. For a set
            with an encoder of its own, it must be the same.
        capacity: tokens that a pack may hold, for packs that others wrote; 4,096 by default.
        verify: whether every checksum is compared when its bytes are read.

    Attributes:
        path: the path.
        manifest: what the set says of itself; None for packs that others wrote.
        capacity: tokens that a pack may hold.

    Raises:
        FormatError: there are no packs, or the set is not whole.
        FingerprintError: `encoder` is not the one that the set was made with.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        encoder: SampleEncoder | None = None,
        capacity: int | None = None,
        verify: bool = True,
    ) -> None:
        self.path = Path(path)
        self._verify = verify
        self._shards, self.manifest = locate(self.path)
        self._encoder = encoder
        if self.manifest is None:
            self.capacity = capacity or DEFAULT_CAPACITY
        else:
            self.capacity = self.manifest.capacity
            self._check_encoder()
        self._open()

    def _open(self) -> None:
        self._lock = threading.Lock()
        self._indexes: dict[int, ShardIndex] = {}
        self._descriptors: dict[Path, int] = {}
        self._was_recounted = False
        if self.manifest is None:
            packs = [len(self.index(number)) for number in range(len(self._shards))]
        else:
            packs = [entry.packs for entry in self.manifest.shards]
        self._first = [0, *accumulate(packs)]

    def __len__(self) -> int:
        """Returns the number of packs."""
        return self._first[-1]

    def __getitem__(self, number: int) -> Pack:
        """Returns one pack, its images in memory.

        Args:
            number: of the pack; negative numbers count from the end.

        Raises:
            IndexError: there is no such pack.
            ChecksumError: its bytes are not those that were written.
            FormatError: it is no pack, or it is over the capacity once counted again.
        """
        shard, row = self._find(number)
        index, place = self.index(shard), self._place(shard, row)
        images = index.images_of(row)
        text = self._text(shard, row)
        ranges = zip(
            (index.image.offset[images] - index.pack.offset[row]).tolist(),
            index.image.size[images].tolist(),
            strict=True,
        )
        rest, encoded = cut_images(text, ranges)
        data, lengths = parse_record(rest, place)
        decoded: list[list[bytes]] = [[] for _ in data]
        checksums = index.image.checksum[images].tolist()
        owners = index.image.sample[images].tolist()
        for base64, owner, checksum in zip(encoded, owners, checksums, strict=True):
            where = f"{place}: {sample_name(data[owner], owner)}: image {len(decoded[owner])}"
            decoded[owner].append(self._decode(base64, checksum, where))
        pack = pack_from_record(data, lengths, decoded, place)
        return self._recounted(pack, place) if self.manifest is None else pack

    def __iter__(self) -> Iterator[Pack]:
        """Yields every pack in order."""
        for number in range(len(self)):
            yield self[number]

    def image(self, pack: int, sample: int, image: int) -> bytes:
        """Returns the bytes of one image file; the pack around it is not parsed.

        Args:
            pack: number of the pack.
            sample: number of the sample in the pack.
            image: number of the image in the sample.

        Raises:
            IndexError: there is no such image.
            ChecksumError: its bytes are not those that were written.
        """
        shard, row = self._find(pack)
        index = self.index(shard)
        images = index.images_of(row)
        own = np.flatnonzero(index.image.sample[images] == sample)
        if not 0 <= image < len(own):
            raise IndexError(f"pack {pack}, sample {sample} has {len(own)} images, no {image}")
        entry = images.start + int(own[image])
        size, offset = int(index.image.size[entry]), int(index.image.offset[entry])
        where = f"{self._place(shard, row)}: sample {sample}: image {image}"
        data = self._read(shard, row, size, offset)
        return self._decode(data, int(index.image.checksum[entry]), where)

    def line(self, number: int) -> bytes:
        """Returns the JSON text of a pack as it is stored, without a line end.

        Raises:
            IndexError: there is no such pack.
            ChecksumError: its bytes are not those that were written.
        """
        return self._text(*self._find(number))

    def shard(self, number: int) -> Shard:
        """Returns where a shard stands."""
        return self._shards[number]

    def first_pack(self, shard: int) -> int:
        """Returns the number of the first pack of a shard."""
        return self._first[shard]

    @property
    def shards(self) -> int:
        """Number of shards."""
        return len(self._shards)

    def index(self, shard: int) -> ShardIndex:
        """Returns the index of one shard, opened on first use.

        Raises:
            ChecksumError: it is not the one that was written.
        """
        with self._lock:
            if shard not in self._indexes:
                self._indexes[shard] = self._shards[shard].open_index()
            return self._indexes[shard]

    @property
    def lengths(self) -> NDArray[np.int32]:
        """int32 [samples], tokens of every sample in the order of the packs."""
        parts = [self.index(shard).sample.length for shard in range(self.shards)]
        return np.concatenate([np.empty(0, np.int32), *parts])

    def load_encoder(self) -> SampleEncoder:
        """Returns the encoder that the packs were made with.

        Raises:
            FormatError: the set holds none.
        """
        if self.manifest is None or self.manifest.encoder is None:
            raise FormatError(self.path, "holds no encoder; name a tokenizer")
        encoder = SampleEncoder.load(self.path / "encoder")
        if differences := encoder.differences(self.manifest.encoder):
            raise FingerprintError(f"{self.path}: encoder/ is not the manifest's", differences)
        return encoder

    def close(self) -> None:
        """Closes its files; it must not be used afterwards."""
        with self._lock:
            self._indexes.clear()
            while self._descriptors:
                os.close(self._descriptors.popitem()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_descriptors"):
            self.close()

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        for name in ("_lock", "_indexes", "_descriptors"):
            del state[name]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    def _find(self, number: int) -> tuple[int, int]:
        """Returns the shard of a pack and its row there."""
        wanted = number + len(self) if number < 0 else number
        if not 0 <= wanted < len(self):
            raise IndexError(f"pack {number} of {len(self)}")
        shard = bisect_right(self._first, wanted) - 1
        return shard, wanted - self._first[shard]

    def _place(self, shard: int, row: int) -> str:
        return f"{self._shards[shard].name}: pack {row}"

    def _text(self, shard: int, row: int) -> bytes:
        pack = self.index(shard).pack
        text = self._read(shard, row, int(pack.size[row]), int(pack.offset[row]))
        if self._verify and xxhash.xxh3_64_intdigest(text) != int(pack.checksum[row]):
            raise ChecksumError(self._place(shard, row), "its checksum differs from the index")
        return text

    def _read(self, shard: int, row: int, size: int, offset: int) -> bytes:
        where = self._shards[shard]
        if not where.is_folder:
            return os.pread(self._descriptor(where.path), size, offset)
        # A set may have more pack files than a process may keep open.
        with open(where.path / str(self.index(shard).file(row)), "rb", buffering=0) as file:
            return os.pread(file.fileno(), size, offset)

    def _descriptor(self, path: Path) -> int:
        with self._lock:
            if path not in self._descriptors:
                self._descriptors[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            return self._descriptors[path]

    def _decode(self, base64: bytes | memoryview, checksum: int, place: str) -> bytes:
        try:
            data = pybase64.b64decode(base64, validate=True)
        except ValueError as error:
            raise ChecksumError(place, f"is no base64 ({error})") from None
        if self._verify and xxhash.xxh3_64_intdigest(data) != checksum:
            raise ChecksumError(place, "its checksum differs from the index")
        return data

    def _check_encoder(self) -> None:
        own = None if self.manifest is None else self.manifest.encoder
        if self._encoder is None or own is None:
            return
        if differences := self._encoder.differences(own):
            raise FingerprintError(f"{self.path}: made with another encoder", differences)

    def _recounted(self, pack: Pack, place: str) -> Pack:
        """Returns the pack with lengths counted by our own encoder, which others' need not match.

        Raises:
            FormatError: it is over the capacity.
        """
        if self._encoder is None:
            return pack
        if not self._was_recounted:
            self._was_recounted = True
            warnings.warn(f"{self.path}: no fingerprint; lengths are counted again", stacklevel=3)
        counted = Pack(pack.data, tuple(map(self._encoder.length, pack.data)))
        if counted.tokens > self.capacity:
            raise FormatError(
                place, f"{counted.tokens} tokens, capacity {self.capacity}; repack: packkit pack"
            )
        return counted
