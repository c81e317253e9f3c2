"""Proving a pack set: every checksum, every count, every sample once.

Reads every byte. Problems are collected, not raised, so that one run names them all.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from packkit.encoding import EncodedSample, SampleEncoder
from packkit.errors import PackkitError
from packkit.schema import Pack
from packkit.shards.index import ShardIndex
from packkit.shards.locate import Shard
from packkit.shards.manifest import REJECTS, Manifest
from packkit.shards.reader import PackReader

__all__ = ["VerifyReport", "verify_packs"]

_BLOCK_BYTES = 1 << 20


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
    on_progress: Callable[[str, int, int], None] | None = None,
) -> VerifyReport:
    """Compares all that a pack set says of itself with what it holds.

    Args:
        path: a pack set, a ``.jsonl`` of packs, or a folder of ``*_packed.json`` files.
        deep: whether every sample is encoded again and its length compared.
        encoder: for `deep`, where the set holds none.
        on_progress: is told the phase, the packs done and their number.

    Raises:
        FormatError: there is no pack set that could be verified.
    """
    with PackReader(path) as reader:
        verification = _Verification(reader, on_progress)
        if deep:
            verification.encoder = encoder or reader.load_encoder()
        for shard in range(reader.shards):
            verification.check_shard(shard)
        if reader.manifest is not None:
            verification.check_set(reader.manifest)
        return verification.report


class _Verification:
    """One run over a set."""

    def __init__(
        self, reader: PackReader, on_progress: Callable[[str, int, int], None] | None
    ) -> None:
        self.report = VerifyReport()
        self.encoder: SampleEncoder | None = None
        self._reader = reader
        self._on_progress = on_progress
        self._positions: dict[str, list[int]] = defaultdict(list)

    def check_shard(self, number: int) -> None:
        """Compares a shard with its entry in the manifest and with its index."""
        shard = self._reader.shard(number)
        manifest = self._reader.manifest
        try:
            index = self._reader.index(number)
            if manifest is not None:
                entry = manifest.shards[number]
                self._expect(shard.name, "sha256", _sha256(shard, index), entry.sha256)
                for name, value in (
                    ("packs", len(index)),
                    ("samples", len(index.sample.length)),
                    ("images", len(index.image.size)),
                    ("tokens", int(index.pack.tokens.sum(dtype=np.int64))),
                ):
                    self._expect(shard.name, name, value, getattr(entry, name))
        except (PackkitError, OSError) as error:
            self.report.problems.append(str(error))
            return
        for row in range(len(index)):
            self._check_pack(shard.name, number, index, row)

    def _check_pack(self, name: str, shard: int, index: ShardIndex, row: int) -> None:
        place = f"{name}: pack {row}"
        pack_number = self._reader.first_pack(shard) + row
        if self._on_progress is not None:
            self._on_progress("verify", pack_number + 1, len(self._reader))
        try:
            pack = self._reader[pack_number]
        except (PackkitError, OSError) as error:
            self.report.problems.append(str(error))
            return
        self.report.packs += 1
        self.report.samples += len(pack.data)
        self.report.images += sum(len(sample.images) for sample in pack.data)
        self.report.bytes += int(index.pack.size[row])
        self._expect(place, "lengths", list(pack.lengths), _list(index.sample.length, index, row))
        self._expect(place, "tokens", pack.tokens, int(index.pack.tokens[row]))
        if pack.tokens > self._reader.capacity:
            self._note(place, f"{pack.tokens} tokens, capacity {self._reader.capacity}")
        for sample in pack.data:
            if sample.origin is not None:
                self._positions[sample.origin.source].append(sample.origin.position)
        if self.encoder is not None:
            self._check_lengths(place, pack, self.encoder)

    def _check_lengths(self, place: str, pack: Pack, encoder: SampleEncoder) -> None:
        encoded = encoder.encode_batch(pack.data)
        for number, (length, found) in enumerate(zip(pack.lengths, encoded, strict=True)):
            self.report.encoded += 1
            where = f"{place}: sample {number}"
            if isinstance(found, EncodedSample):
                self._expect(where, "length", length, found.length)
            else:
                self._note(where, str(found))

    def check_set(self, manifest: Manifest) -> None:
        """Compares the set with its manifest: files beside the shards, and every position."""
        folder = self._reader.path
        for name, digest in {REJECTS: manifest.rejects_sha256, **manifest.encoder_sha256}.items():
            try:
                found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
            except OSError as error:
                self._note(name, f"cannot be read ({error.strerror})")
            else:
                self._expect(name, "sha256", found, digest)
        self._expect("manifest.json", "packs", self.report.packs, manifest.packs)
        self._expect(
            "manifest.json", "samples_packed", self.report.samples, manifest.samples_packed
        )
        if manifest.sources:
            self._check_conservation(folder / REJECTS, manifest)

    def _check_conservation(self, rejects: Path, manifest: Manifest) -> None:
        """Every record of every source stands exactly once in a pack or among the rejects."""
        try:
            for line in rejects.read_bytes().splitlines():
                reject = orjson.loads(line)
                self._positions[reject["source"]].append(reject["position"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._note(REJECTS, f"cannot be read ({error})")
            return
        for source in manifest.sources:
            positions = np.sort(np.array(self._positions.pop(source["name"], []), np.int64))
            if not np.array_equal(positions, np.arange(source["read"])):
                self._note(
                    source["name"],
                    f"{source['read']} records read, but {len(np.unique(positions))} different "
                    f"ones among {len(positions)} packed or rejected",
                )
        for name in self._positions:
            self._note(name, "has samples in the packs but is no source in manifest.json")

    def _expect(self, place: str, name: str, found: object, expected: object) -> None:
        if found != expected:
            self._note(place, f"{name} is {found}, expected {expected}")

    def _note(self, place: str, problem: str) -> None:
        self.report.problems.append(f"{place}: {problem}")


def _list(column: NDArray[Any], index: ShardIndex, row: int) -> list[int]:
    values: list[int] = column[index.samples_of(row)].tolist()
    return values


def _sha256(shard: Shard, index: ShardIndex) -> str:
    """Returns the digest of a shard's packs, those of a folder one after another."""
    digest = hashlib.sha256()
    names = [shard.path / str(index.file(row)) for row in range(len(index))]
    for path in names if shard.is_folder else [shard.path]:
        with open(path, "rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()
