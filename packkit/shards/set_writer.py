"""Writing a pack set from a program: packs in, shards and a manifest out."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from packkit.base.errors import FormatError, OutputExistsError
from packkit.base.files import write_atomically
from packkit.base.pack_options import LARGEST_SHARD
from packkit.base.values import LARGEST_COUNT, check_whole
from packkit.encoding import SampleEncoder
from packkit.images import image_size
from packkit.samples import Pack
from packkit.shards.index_columns import UNKNOWN_TOKENS, MeasuredSample
from packkit.shards.manifest import MANIFEST, REJECTS, Manifest, ShardEntry
from packkit.shards.set_encoder import encoder_checksums
from packkit.shards.set_files import RUN, WORK
from packkit.shards.shard_writer import ShardWriter


class PackWriter:
    """Writes packs to a new pack set; the set is whole once it is closed without an error.

    Args:
        out: Folder of the set; made where it is missing.
        capacity: Tokens that a pack may hold.
        encoder: Encoder that checks the lengths and is kept in the set for its readers.
        shard_size: Size at which a shard is closed, bytes.
        storage: How packs lie on disk: ``shards`` or ``files``.

    Raises:
        InputError: `capacity` or `shard_size` is out of range.
        OutputExistsError: `out` holds a pack set, the shards of a run that did not finish, or
            another file that the set would replace.
    """

    def __init__(
        self,
        out: str | Path,
        *,
        capacity: int = 4096,
        encoder: SampleEncoder | None = None,
        shard_size: int = 256 << 20,
        storage: Literal["shards", "files"] = "shards",
    ) -> None:
        check_whole("capacity", capacity, 1, LARGEST_COUNT)
        check_whole("shard_size", shard_size, 1, LARGEST_SHARD)
        self._out = Path(out)
        if (self._out / MANIFEST).exists():
            raise OutputExistsError(self._out, "already holds a pack set")
        if next(self._out.glob("shard-*"), None) is not None:
            raise OutputExistsError(self._out, "holds shards of a run that did not finish")
        for name in (REJECTS, "encoder", RUN, WORK):
            if (self._out / name).exists():
                raise OutputExistsError(self._out, f"holds {name}, which is not this set's")
        self._capacity = capacity
        self._encoder = encoder
        self._shard_size = shard_size
        self._storage: Literal["shards", "files"] = storage
        self._entries: list[ShardEntry] = []
        self._shard: ShardWriter | None = None
        self._images = 0

    def write(self, pack: Pack) -> None:
        """Writes one pack.

        Raises:
            FormatError: The pack is over the capacity, or a length is not what the encoder counts.
            SampleError: An image cannot be read, or a sample cannot be trained on.
        """
        if pack.tokens > self._capacity:
            raise FormatError(self._out, f"{pack.tokens} tokens, capacity {self._capacity}")
        items = [self._measure(number, pack) for number in range(len(pack.data))]
        if self._shard is None:
            packs = sum(entry.packs for entry in self._entries)
            name = f"shard-{len(self._entries):05d}"
            self._shard = ShardWriter(self._out, name, storage=self._storage, first_pack=packs)
        self._shard.write(items)
        self._images += sum(count != 0 for item in items for count in item.image_tokens)
        if self._shard.size >= self._shard_size:
            self._close_shard()

    def close(self) -> Manifest:
        """Writes what is missing and then the manifest, which makes the set whole."""
        self._close_shard()
        write_atomically(self._out / REJECTS, b"")
        if self._encoder is not None:
            self._encoder.save(self._out / "encoder")
        manifest = self._manifest()
        write_atomically(self._out / MANIFEST, manifest.to_json())
        return manifest

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        elif self._shard is not None:
            self._shard.abandon()

    def _measure(self, number: int, pack: Pack) -> MeasuredSample:
        sample, length = pack.data[number], pack.lengths[number]
        sizes = [image_size(image) for image in sample.images]
        if self._encoder is None:
            return MeasuredSample(sample, length, sizes, [UNKNOWN_TOKENS] * len(sizes))
        encoded = self._encoder.encode(sample, image_sizes=sizes)
        if encoded.length != length:
            raise FormatError(
                self._out, f"sample {number}: length {length}, the encoder counts {encoded.length}"
            )
        tokens: list[int] = encoded.image_slots[:, 1].tolist()
        return MeasuredSample(sample, length, sizes, tokens + [0] * (len(sizes) - len(tokens)))

    def _close_shard(self) -> None:
        if self._shard is not None:
            self._entries.append(self._shard.commit())
            self._shard = None

    def _manifest(self) -> Manifest:
        packs = sum(entry.packs for entry in self._entries)
        tokens = sum(entry.tokens for entry in self._entries)
        samples = sum(entry.samples for entry in self._entries)
        bound = -(-tokens // self._capacity)
        return Manifest(
            capacity=self._capacity,
            storage=self._storage,
            encoder=None if self._encoder is None else self._encoder.describe(),
            options={},
            samples_read=samples,
            samples_packed=samples,
            samples_rejected=0,
            rejects={},
            duplicate_ids=0,
            packs=packs,
            tokens=tokens,
            images=self._images,
            efficiency=tokens / (packs * self._capacity) if packs else 1.0,
            lower_bound=bound,
            gap=(packs - bound) / bound if packs else 0.0,
            sources=[],
            shards=self._entries,
            rejects_sha256=hashlib.sha256(b"").hexdigest(),
            encoder_sha256=encoder_checksums(self._out),
        )
