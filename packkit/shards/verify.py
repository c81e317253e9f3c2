"""Proving a pack set: every checksum, every count, every sample once.

Reads every byte twice, once for the shards' sha256 and once pack by pack. What the index says is
made again from the text alone and compared. Problems are collected, not raised, so that one run
names them all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from packkit.base.engine import Progress
from packkit.base.errors import PackkitError
from packkit.base.files import read_file, update_digest
from packkit.encoding import EncodedSample, SampleEncoder
from packkit.shards.conservation import Conservation
from packkit.shards.index import ShardIndex
from packkit.shards.index_columns import UNKNOWN_TOKENS, IndexRow, MeasuredSample, make_row
from packkit.shards.locate import Shard
from packkit.shards.manifest import MANIFEST, REJECTS, Manifest, ShardEntry, has_checksum
from packkit.shards.reader import PackReader
from packkit.shards.set_encoder import check_encoder
from packkit.shards.set_files import RUN


@dataclass(slots=True)
class VerifyReport:
    """What a verification looked at and found.

    Attributes:
        packs: Number of packs read.
        samples: Number of samples read.
        images: Number of images read.
        bytes: Bytes of the packs read.
        encoded: Number of samples whose length was counted again.
        problems: One line for each problem; empty means that the set is sound.
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
        path: A pack set, a ``.jsonl`` of packs, or a folder of ``*_packed.json`` files.
        deep: Whether every sample is encoded again, and its length and image tokens compared.
        encoder: Encoder that `deep` counts with, where the set holds none.
        on_progress: Callback that is told how far the verification has come.

    Raises:
        FormatError: There is no pack set that could be verified.
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
    check_encoder(reader.path, reader.manifest, encoder)
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
        # Files of the set, and folders of packs.
        self._known: set[Path] = set()

    def check_shard(self, number: int, on_progress: Progress | None) -> None:
        """Compares a shard with its entry in the manifest and with its index."""
        shard, first = self._reader.shard(number), self._reader.first_pack(number)
        self._known.add(shard.index_path)
        try:
            index = self._reader.index(number)
        except PackkitError as error:
            self._has_all_indexes = False
            self._known |= {shard.path, *(shard.path.rglob("*") if shard.is_folder else ())}
            self.report.problems.append(str(error))
            return
        if self._reader.manifest is not None:
            self._check_entry(shard, index, self._reader.manifest.shards[number])
            files = [] if index.files is None else index.files.to_pylist()
            self._known |= {shard.path, *(shard.path / file for file in files)}
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
        try:
            size, digest = _digest(shard, index)
        except OSError as error:
            self._note(shard.name, f"cannot be read ({error.strerror})")
            return
        for name, value, expected in (
            ("packs", len(index), entry.packs),
            ("samples", len(index.sample.length), entry.samples),
            ("images", len(index.image.size), entry.images),
            ("tokens", int(index.pack.tokens.sum(dtype=np.int64)), entry.tokens),
            ("bytes", size, entry.bytes),
            ("sha256", digest, entry.sha256),
        ):
            self._expect(shard.name, name, value, expected)
        if not shard.is_folder and not np.array_equal(
            index.pack.offset[1:], np.cumsum(index.pack.size + 1)[:-1]
        ):
            self._note(shard.name, "its packs do not follow one another")

    def _check_pack(self, shard: Shard, index: ShardIndex, number: int, row: int) -> None:
        # Numba takes half a second to load, and reading packs does without it.
        from packkit.shards.scan import scan_pack

        stored, place = index.row(row), shard.place(row, index.file(row))
        text = self._reader.line(number)
        pack, sizes, places = scan_pack(text, place)
        self.report.packs += 1
        self.report.samples += len(pack.data)
        self.report.images += len(places)
        self.report.bytes += len(text)
        unknown = [[UNKNOWN_TOKENS] * len(sample_sizes) for sample_sizes in sizes]
        items = list(map(MeasuredSample, pack.data, pack.lengths, sizes, unknown))
        expected = make_row(text, items, places, offset=stored.pack.offset, file=stored.file)
        for difference in _differences(expected, _without_tokens(stored)):
            self._note(place, difference)
        if self._reader.manifest is not None and pack.tokens > self._reader.capacity:
            self._note(place, f"{pack.tokens} tokens, capacity {self._reader.capacity}")
        if self._encoder is not None:
            self._check_encoding(place, items, stored, self._encoder)

    def _check_encoding(
        self, place: str, items: list[MeasuredSample], stored: IndexRow, encoder: SampleEncoder
    ) -> None:
        from packkit.shards.scan import encode_samples, image_tokens

        encoded = encode_samples(
            encoder, [item.sample for item in items], [item.image_sizes for item in items]
        )
        tokens: list[int] = []
        for number, (item, result) in enumerate(zip(items, encoded, strict=True)):
            self.report.encoded += 1
            tokens += image_tokens(result, item.image_sizes)
            if isinstance(result, EncodedSample):
                self._expect(f"{place}: sample {number}", "length", result.length, item.length)
            else:
                self._note(f"{place}: sample {number}", str(result))
        known = [image.tokens for image in stored.images]
        manifest = self._reader.manifest
        has_counted = manifest is not None and manifest.encoder is not None
        if has_counted or UNKNOWN_TOKENS not in known:
            self._expect(place, "tokens of its images", tokens, known)

    def check_set(self, manifest: Manifest) -> None:
        """Compares the set with its manifest: the files beside the shards, and every record."""
        folder = self._reader.path
        for name, digest in {REJECTS: manifest.rejects_sha256, **manifest.encoder_sha256}.items():
            try:
                data = read_file(folder / name)
            except OSError as error:
                self._note(name, f"cannot be read ({error.strerror})")
                continue
            self._expect(name, "sha256", hashlib.sha256(data).hexdigest(), digest)
            if name == REJECTS:
                self._check_rejects(data, manifest)
        self._check_run(folder / RUN)
        self._known |= {folder / name for name in (MANIFEST, REJECTS, RUN)}
        self._known |= {folder / name for name in manifest.encoder_sha256}
        for path in self._strangers(folder):
            self._note(
                path.relative_to(folder).as_posix(),
                f"is not part of the set that {MANIFEST} describes",
            )
        if self._has_all_indexes:
            self._expect(MANIFEST, "images", self._images_with_tokens, manifest.images)
            if manifest.sources:
                self.report.problems += self._conservation.problems(manifest.sources)

    def _check_rejects(self, data: bytes, manifest: Manifest) -> None:
        try:
            lines = self._conservation.add_rejects(data)
        except ValueError as error:
            self._note(REJECTS, f"cannot be read ({error})")
        else:
            self._expect(REJECTS, "number of lines", lines, manifest.samples_rejected)

    def _check_run(self, path: Path) -> None:
        # Sets that a program writes have none.
        with suppress(FileNotFoundError):
            if not has_checksum(read_file(path)):
                self._note(path.name, "is not what was written: its checksum differs")

    def _strangers(self, folder: Path) -> Iterator[Path]:
        """Yields what stands in a folder and belongs to no part of the set, folders as a whole."""
        parents = {path.parent for path in self._known}
        for path in sorted(folder.iterdir()):
            if path in parents:
                yield from self._strangers(path)
            elif path not in self._known:
                yield path

    def _expect(self, place: str, name: str, value: object, expected: object) -> None:
        if value != expected:
            self._note(place, f"{name} is {value}, expected {expected}")

    def _note(self, place: str, problem: str) -> None:
        self.report.problems.append(f"{place}: {problem}")


def _digest(shard: Shard, index: ShardIndex) -> tuple[int, str]:
    """Returns size and sha256 of a shard's packs, those of a folder one after another."""
    names = [shard.path / str(index.file(row)) for row in range(len(index))]
    size, digest = 0, hashlib.sha256()
    for path in names if shard.is_folder else [shard.path]:
        size += update_digest(digest, path)
    return size, digest.hexdigest()


def _without_tokens(row: IndexRow) -> IndexRow:
    """Returns a row that says of images what their text alone can say."""
    images = (image._replace(tokens=UNKNOWN_TOKENS) for image in row.images)
    return row._replace(images=tuple(images))


def _differences(expected: IndexRow, stored: IndexRow) -> Iterator[str]:
    """Yields what the index says wrongly of a pack."""
    for name, ours, theirs in zip(expected.pack._fields, expected.pack, stored.pack, strict=True):
        if ours != theirs:
            yield f"{name}: {ours} in the pack, {theirs} in its index"
    for level in ("samples", "images"):
        rows, stored_rows = getattr(expected, level), getattr(stored, level)
        if len(rows) != len(stored_rows):
            yield f"{level}: {len(rows)} in the pack, {len(stored_rows)} in its index"
            continue
        for number, (row, stored_row) in enumerate(zip(rows, stored_rows, strict=True)):
            if row != stored_row:
                yield f"{level} {number}: {row} in the pack, {stored_row} in its index"
