"""Proving a pack set: every checksum, every count, every sample once.

Reads every byte twice, once for the shards' sha256 and once pack by pack. What the index says is
made again from the text alone and compared. Problems are collected, not raised, so that one run
names them all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from packkit.encoding import EncodedSample, SampleEncoder
from packkit.errors import FingerprintError, PackkitError
from packkit.shards.conservation import Conservation
from packkit.shards.index import ShardIndex
from packkit.shards.locate import Shard
from packkit.shards.manifest import MANIFEST, REJECTS, Manifest, ShardEntry
from packkit.shards.reader import PackReader
from packkit.shards.rows import UNKNOWN_TOKENS, PackedSample, PackRow, make_row

__all__ = ["VerifyReport", "verify_packs"]

_BLOCK_BYTES = 1 << 20

Progress = Callable[[str, int, int], None]
"""Takes the phase, the packs done and their number."""


@dataclass(slots=True)
class VerifyReport:
    """What a verification looked at and found.

    Attributes:
        packs: packs read.
        samples: samples read.
        images: images read.
        bytes: bytes of packs.
        encoded: samples whose length was counted again.
        problems: one line each; empty means that the set is sound.
    """

    packs: int = 0
    samples: int = 0
    images: int = 0
    bytes: int = 0
    encoded: int = 0
    problems: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form."""
        return asdict(self)


def verify_packs(
    path: str | Path,
    *,
    deep: bool = False,
    encoder: SampleEncoder | None = None,
    on_progress: Progress | None = None,
) -> VerifyReport:
    """Compares all that a pack set says of itself with what it holds.

    Args:
        path: a pack set, a ``.jsonl`` of packs, or a folder of ``*_packed.json`` files.
        deep: whether every sample is encoded again, and its length and image tokens compared.
        encoder: for `deep`, where the set holds none.
        on_progress: is told how far it has come.

    Raises:
        FormatError: there is no pack set that could be verified.
        FingerprintError: `encoder` is not the one that the set was made with.
    """
    with PackReader(path) as reader:
        verification = _Verification(reader, _encoder(reader, encoder) if deep else None)
        for shard in range(reader.shards):
            verification.check_shard(shard, on_progress)
        if reader.manifest is not None:
            verification.check_set(reader.manifest)
        return verification.report


def _encoder(reader: PackReader, encoder: SampleEncoder | None) -> SampleEncoder:
    if encoder is None:
        return reader.load_encoder()
    own = None if reader.manifest is None else reader.manifest.encoder
    if own is not None and (differences := encoder.differences(own)):
        raise FingerprintError(f"{reader.path}: made with another encoder", differences)
    return encoder


class _Verification:
    """One run over a set."""

    def __init__(self, reader: PackReader, encoder: SampleEncoder | None) -> None:
        self.report = VerifyReport()
        self._reader = reader
        self._encoder = encoder
        self._conservation = Conservation()
        self._images_with_tokens = 0
        self._has_all_indexes = True

    def check_shard(self, number: int, on_progress: Progress | None) -> None:
        """Compares a shard with its entry in the manifest and with its index."""
        shard, first = self._reader.shard(number), self._reader.first_pack(number)
        try:
            index = self._reader.index(number)
        except PackkitError as error:
            self._has_all_indexes = False
            self.report.problems.append(str(error))
            return
        if self._reader.manifest is not None:
            self._check_entry(shard, index, self._reader.manifest.shards[number])
        self._conservation.add_packed(index)
        self._images_with_tokens += int(np.count_nonzero(index.image.tokens))
        for row in range(len(index)):
            try:
                self._check_pack(shard, index, first + row, row)
            except PackkitError as error:
                self.report.problems.append(str(error))
            if on_progress is not None:
                on_progress("verify", first + row + 1, len(self._reader))

    def _check_entry(self, shard: Shard, index: ShardIndex, entry: ShardEntry) -> None:
        size, digest = _digest(shard, index)
        for name, found, expected in (
            ("packs", len(index), entry.packs),
            ("samples", len(index.sample.length), entry.samples),
            ("images", len(index.image.size), entry.images),
            ("tokens", int(index.pack.tokens.sum(dtype=np.int64)), entry.tokens),
            ("bytes", size, entry.bytes),
            ("sha256", digest, entry.sha256),
        ):
            self._expect(shard.name, name, found, expected)
        ends = np.cumsum(index.pack.size + 1)
        if shard.is_folder:
            files = [index.file(row) for row in range(len(index))]
            self._expect(shard.name, "files", shard.pack_files(), files)
        elif not np.array_equal(index.pack.offset[1:], ends[:-1]):
            self._note(shard.name, "its packs do not follow one another")

    def _check_pack(self, shard: Shard, index: ShardIndex, number: int, row: int) -> None:
        # Numba takes half a second to load, and reading packs does without it.
        from packkit.shards.scan import image_tokens, scan_pack

        stored, place = index.row(row), shard.place(row, index.file(row))
        text = self._reader.line(number)
        pack, sizes, places = scan_pack(text, place)
        self.report.packs += 1
        self.report.samples += len(pack.data)
        self.report.images += len(places)
        self.report.bytes += len(text)
        tokens = _stored_tokens(stored)
        if self._encoder is not None:
            encoded = self._encoder.encode_batch(pack.data, image_sizes=sizes)
            self._check_lengths(place, pack.lengths, encoded)
            tokens = [image_tokens(*one) for one in zip(encoded, sizes, strict=True)]
        items = map(PackedSample, pack.data, pack.lengths, sizes, tokens)
        found = make_row(text, list(items), places, offset=stored.offset, file=stored.file)
        for difference in _differences(found, stored):
            self._note(place, difference)
        if self._reader.manifest is not None and pack.tokens > self._reader.capacity:
            self._note(place, f"{pack.tokens} tokens, capacity {self._reader.capacity}")
