"""``manifest.json``: what a whole pack set is, written last.

Its presence means that the set is whole. It states what was read, packed and rejected, the encoder
that the lengths come from, and the checksum of every other file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import orjson
import xxhash

from packkit.base.errors import ChecksumError, FormatError
from packkit.base.files import read_file
from packkit.shards.index_columns import FORMAT_VERSION
from packkit.shards.manifest_rules import MANIFEST_RULES, SHARD_RULES, broken_rule

MANIFEST = "manifest.json"
REJECTS = "rejects.jsonl"
_FORMAT = "packkit"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardEntry:
    """What the manifest says of a shard.

    Attributes:
        name: Name of its files or folder without their ending, such as ``shard-00000``.
        packs: Number of packs in the shard.
        samples: Number of samples in the shard.
        images: Number of images stored in the shard.
        tokens: Tokens of all samples in the shard.
        bytes: Size of the packs on disk.
        sha256: Sha256 of the shard in hex; with the storage ``files``, of its files in order.
        index_checksum: Checksum (xxh3_64) of the index file in hex.
    """

    name: str
    packs: int
    samples: int
    images: int
    tokens: int
    bytes: int
    sha256: str
    index_checksum: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A whole pack set.

    Attributes:
        capacity: Tokens that a pack can hold.
        storage: How packs lie on disk, ``shards`` or ``files``.
        encoder: What `SampleEncoder.describe` says; None for packs written without an encoder.
        options: Options that decided the packs, as the writer states them.
        samples_read: Records found in the inputs.
        samples_packed: Samples that stand in a pack.
        samples_rejected: Samples left out; read = packed + rejected.
        rejects: Number of rejected samples by reason.
        duplicate_ids: Samples whose id an earlier sample has.
        packs: Number of packs in all shards.
        tokens: Tokens of all packed samples.
        images: Number of images that take tokens.
        efficiency: Share of the capacity that is used, tokens / (packs x capacity), in [0, 1].
        lower_bound: Number of packs that any packing needs at least.
        gap: Packs above the bound, (packs - lower_bound) / lower_bound.
        sources: One entry an input: name, layout, read, packed, rejected, rejects by reason.
        shards: One entry a shard, in order.
        rejects_sha256: Sha256 of rejects.jsonl.
        encoder_sha256: Sha256 of each file under encoder/, by name.

    Raises:
        FormatError: The counts contradict one another.
    """

    capacity: int
    storage: str
    encoder: Mapping[str, Any] | None
    options: Mapping[str, Any]
    samples_read: int
    samples_packed: int
    samples_rejected: int
    rejects: Mapping[str, int]
    duplicate_ids: int
    packs: int
    tokens: int
    images: int
    efficiency: float
    lower_bound: int
    gap: float
    sources: Sequence[Mapping[str, Any]]
    shards: Sequence[ShardEntry]
    rejects_sha256: str
    encoder_sha256: Mapping[str, str]

    def __post_init__(self) -> None:
        for name, value, expected in (
            ("samples_read", self.samples_read, self.samples_packed + self.samples_rejected),
            ("samples_rejected", self.samples_rejected, sum(self.rejects.values())),
            ("samples_packed", self.samples_packed, sum(entry.samples for entry in self.shards)),
            ("packs", self.packs, sum(entry.packs for entry in self.shards)),
            ("tokens", self.tokens, sum(entry.tokens for entry in self.shards)),
        ):
            if value != expected:
                raise FormatError(MANIFEST, f"{name} is {value}, its parts add up to {expected}")

    def to_json(self) -> bytes:
        """Returns the bytes of manifest.json: a pure function of the fields."""
        # Not dataclasses.asdict, whose deep copies take a second for a set of seven million packs.
        fields = {"format": _FORMAT, "format_version": FORMAT_VERSION, **_shallow_dict(self)}
        fields["shards"] = [_shallow_dict(entry) for entry in self.shards]
        return with_checksum(fields)

    @classmethod
    def from_json(cls, data: bytes, place: str | Path = MANIFEST) -> Self:
        """Reads manifest.json.

        Args:
            data: Bytes of manifest.json.
            place: Path of the file, for errors.

        Raises:
            FormatError: The file is not the manifest of a pack set of this format version, or a
                field breaks its rule.
            ChecksumError: The file was changed after it was written.
        """
        try:
            fields = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise FormatError(place, f"is not JSON ({error})") from None
        if not isinstance(fields, dict) or fields.pop("format", None) != _FORMAT:
            raise FormatError(place, f'format must be "{_FORMAT}"')
        version = fields.pop("format_version", None)
        if version != FORMAT_VERSION:
            raise FormatError(
                place,
                f"format_version must be {FORMAT_VERSION}, got {version}: pack the data again, "
                "or read it with the packkit that wrote it",
            )
        fields.pop("checksum", None)
        _check_rules(fields, place)
        try:
            fields["shards"] = [ShardEntry(**entry) for entry in fields["shards"]]
            manifest = cls(**fields)
            is_unchanged = manifest.to_json() == data
        except FormatError as error:
            raise FormatError(place, error.detail) from None
        # What is nested too deeply can be read but not written.
        except orjson.JSONEncodeError as error:
            raise FormatError(place, f"does not describe a pack set ({error})") from None
        if not is_unchanged:
            raise ChecksumError(place, "is not what was written: its checksum differs")
        return manifest

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Reads the manifest of a pack set.

        Raises:
            FormatError: The manifest is missing, or cannot be read.
        """
        path = folder / MANIFEST
        try:
            return cls.from_json(read_file(path), path)
        except FileNotFoundError:
            raise FormatError(folder, f"holds no {MANIFEST}: the pack set is not whole") from None
        except OSError as error:
            raise FormatError(path, f"cannot be read ({error.strerror})") from None


def with_checksum(fields: Mapping[str, Any]) -> bytes:
    """Returns fields as a JSON file that states its own checksum (xxh3_64)."""
    checksum = xxhash.xxh3_64_hexdigest(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS))
    return orjson.dumps(
        {**fields, "checksum": checksum},
        option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE,
    )


def has_checksum(data: bytes) -> bool:
    """Returns whether a JSON file is, byte for byte, what `with_checksum` made."""
    try:
        fields = orjson.loads(data)
        fields.pop("checksum")
        return with_checksum(fields) == data
    except (ValueError, TypeError, KeyError, AttributeError):
        return False


def _check_rules(fields: dict[str, Any], place: str | Path) -> None:
    if problem := broken_rule(fields, MANIFEST_RULES):
        raise FormatError(place, problem)
    names: set[str] = set()
    for number, entry in enumerate(fields["shards"]):
        problem = broken_rule(entry, SHARD_RULES)
        if problem is None and entry["name"] in names:
            problem = f"name is that of another shard, {entry['name']}"
        if problem is not None:
            raise FormatError(place, f"shards[{number}]: {problem}")
        names.add(entry["name"])


def _shallow_dict(instance: Manifest | ShardEntry) -> dict[str, Any]:
    return {name: getattr(instance, name) for name in instance.__slots__}
