"""Reading packs by number, and images by byte range.

A pack's text is read with one call, its images are cut out by the ranges in the index, and only the
rest is parsed. Indexes are opened when they are needed, so opening a set costs its manifest alone.
Everything goes through positional reads: one reader serves many threads, and it can be pickled and
used after a fork.
"""

from __future__ import annotations

import warnings
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import xxhash
from numpy.typing import NDArray

from packkit.base.errors import InputError
from packkit.base.files import read_file
from packkit.encoding import SampleEncoder
from packkit.encoding.image_tokens import ImageSizes
from packkit.samples import Pack
from packkit.shards.file_pool import FilePool
from packkit.shards.index import ShardIndex
from packkit.shards.locate import Shard, locate
from packkit.shards.manifest import MANIFEST
from packkit.shards.open_shard import OpenShard
from packkit.shards.set_encoder import check_encoder, read_encoder, recount

_DEFAULT_CAPACITY = 4096


class PackReader:
    """The packs of a set.

    Args:
        path: A pack set, a ``.jsonl`` of packs, or a folder of Open-Qwen2VL's ``*_packed.json``.
            Packs without an index are scanned once, now and after unpickling; for many of them
            ``packkit index`` spares that.
        encoder: Encoder for packs without a fingerprint, whose lengths are counted again as they
            are read. For a set with an encoder of its own, it must be the same.
        capacity: Tokens that a pack may hold; by default the set's own, or 4,096.
        verify: Whether bytes are compared with their checksums as they are read. Comparing a whole
            set at once is the work of `verify_packs`.

    Attributes:
        path: Path that was given.
        manifest: What the set says of itself; None for packs that others wrote.
        capacity: Tokens that a pack may hold.

    Raises:
        FormatError: There are no packs, or the set is not whole.
        FingerprintError: `encoder` is not the one that the set was made with.
        InputError: The set was made for a larger capacity.
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
        self._located, self.manifest = locate(self.path)
        made_for = _DEFAULT_CAPACITY if self.manifest is None else self.manifest.capacity
        self.capacity = made_for if capacity is None else capacity
        if self.manifest is not None and self.capacity < made_for:
            raise InputError(
                f"{self.path}: capacity must be at least the {made_for} tokens that its packs were "
                f"made for, got {capacity}; pack the data again"
            )
        self._recounter = self._find_recounter(encoder)
        self._open()

    def _open(self) -> None:
        self._is_closed = False
        self._files = FilePool()
        self._shards = [
            OpenShard(shard, self._files, verify=self._verify) for shard in self._located
        ]
        if self.manifest is None:
            packs = [len(shard.index) for shard in self._shards]
        else:
            packs = [entry.packs for entry in self.manifest.shards]
        self._first = [0, *accumulate(packs)]

    def _find_recounter(self, encoder: SampleEncoder | None) -> SampleEncoder | None:
        """Returns the encoder that must count lengths again, if one must."""
        if encoder is None or check_encoder(self.path, self.manifest, encoder):
            return None
        warnings.warn(
            f"{self.path}: packs without a fingerprint; their lengths are counted again",
            stacklevel=3,
        )
        return encoder

    def __len__(self) -> int:
        """Returns the number of packs."""
        return self._first[-1]

    def __getitem__(self, number: int) -> Pack:
        """Returns one pack, its images in memory.

        Args:
            number: Number of the pack; negative numbers count from the end.

        Raises:
            IndexError: There is no such pack.
            ChecksumError: The bytes read are not those that were written.
            FormatError: The text is not a pack, or it is over the capacity once counted again.
        """
        shard, row = self._find(number)
        pack = shard.pack(row)
        if self._recounter is None:
            return pack
        place = shard.place(row)
        return recount(pack, self._recounter, capacity=self.capacity, place=place)

    def lazy(self, number: int) -> Pack:
        """Returns one pack whose images are decoded from base64 when their bytes are wanted.

        `Sample.image_bytes` gives them; the text of the whole pack stays in memory until then.
        Lengths are those stored.

        Args:
            number: Number of the pack; negative numbers count from the end.

        Raises:
            IndexError: There is no such pack.
            ChecksumError: The bytes read are not those that were written.
            FormatError: The text is not a pack.
        """
        shard, row = self._find(number)
        return shard.lazy_pack(row)

    def image_sizes(self, number: int) -> list[ImageSizes]:
        """Returns width and height of the images of each sample of a pack, from its index.

        Raises:
            IndexError: There is no such pack.
        """
        shard, row = self._find(number)
        return shard.image_sizes(row)

    def place(self, number: int) -> str:
        """Returns how errors call a pack: ``shard-00003.jsonl: pack 12``."""
        shard, row = self._find(number)
        return shard.place(row)

    def __iter__(self) -> Iterator[Pack]:
        """Yields every pack in order."""
        for number in range(len(self)):
            yield self[number]

    def image(self, pack: int, sample: int, image: int) -> bytes:
        """Returns the bytes of one image file; the pack around it is not read.

        Args:
            pack: Number of the pack; negative numbers count from the end.
            sample: Number of the sample in the pack.
            image: Number of the image in the sample.

        Raises:
            IndexError: There is no such image.
            ChecksumError: The bytes read are not those that were written.
        """
        shard, row = self._find(pack)
        return shard.image(row, sample, image)

    def line(self, number: int) -> bytes:
        """Returns the JSON text of a pack as it is stored, without a line end.

        Raises:
            IndexError: There is no such pack.
            ChecksumError: The bytes read are not those that were written.
        """
        shard, row = self._find(number)
        return shard.text(row)

    @property
    def shards(self) -> int:
        """Number of shards."""
        return len(self._shards)

    def shard(self, number: int) -> Shard:
        """Returns where a shard stands."""
        return self._located[number]

    def first_pack(self, shard: int) -> int:
        """Returns the number of the first pack of a shard."""
        return self._first[shard]

    def index(self, shard: int) -> ShardIndex:
        """Returns the index of one shard as flat arrays, opened on first use.

        Raises:
            ChecksumError: The index is not the one that was written.
        """
        return self._shards[shard].index

    def index_of(self, number: int) -> tuple[ShardIndex, int]:
        """Returns the index that a pack stands in, and the pack's row there.

        Raises:
            IndexError: There is no such pack.
            ChecksumError: The index is not the one that was written.
        """
        shard, row = self._find(number)
        return shard.index, row

    @property
    def lengths(self) -> NDArray[np.int32]:
        """int32 [samples], tokens of every sample as stored, in the order of the packs."""
        parts = [shard.index.sample.length for shard in self._shards]
        return np.concatenate([np.empty(0, np.int32), *parts])

    @property
    def content_hash(self) -> str:
        """A hash of all that the set holds, in hex: another hash, other packs."""
        if self.manifest is not None:
            # It states the checksum of everything else.
            return xxhash.xxh3_64_hexdigest(read_file(self.path / MANIFEST))
        digest = xxhash.xxh3_64()
        for shard in self._shards:
            digest.update(shard.index.pack.checksum.tobytes())
        return digest.hexdigest()

    def load_encoder(self) -> SampleEncoder:
        """Returns the encoder that the packs were made with.

        Raises:
            FormatError: The set holds no encoder.
            ChecksumError: A file under encoder/ is not the one that was written.
            FingerprintError: The installed packkit makes another encoder of the files.
        """
        return read_encoder(self.path, self.manifest)

    def close(self) -> None:
        """Closes all files; packs and images cannot be read afterwards."""
        self._is_closed = True
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {
            name: value for name, value in vars(self).items() if name not in ("_files", "_shards")
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._open()

    def _find(self, number: int) -> tuple[OpenShard, int]:
        """Returns the shard of a pack and the pack's number there."""
        if self._is_closed:
            raise ValueError(f"{self.path}: the reader is closed")
        wanted = number + len(self) if number < 0 else number
        if not 0 <= wanted < len(self):
            raise IndexError(f"{self.path} has {len(self)} packs, no pack {number}")
        shard = bisect_right(self._first, wanted) - 1
        return self._shards[shard], wanted - self._first[shard]
