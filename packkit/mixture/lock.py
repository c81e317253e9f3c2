"""The lock of a mixture: which samples exactly a stage of training takes, and what was left out.

It is a pure function of the mixture and its data: no times, no absolute paths. ``mix build`` reads
nothing else, and refuses data that have changed since.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import orjson
import xxhash
from numpy.typing import NDArray

from packkit.base.errors import ChecksumError, FormatError, InputError
from packkit.base.files import read_file, write_atomically
from packkit.mixture.recipe import Mixture, check_mixture

_FORMAT = "packkit-mixture"
_VERSION = 2


class Count(NamedTuple):
    """A number of samples and of their tokens.

    Attributes:
        samples: Number of samples.
        tokens: Number of tokens of the samples.
    """

    samples: int
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedSource:
    """One source of a locked mixture.

    Attributes:
        name: Name of the source in the mixture.
        use: Name of the data set.
        files: Name and size in bytes of each file.
        layouts: Layout of the records of each file.
        read: Number of records read.
        rejected: Number of records that are not legal samples, by reason.
        available: Number of records that are legal samples, before any filter.
        filters: Options and inputs of each filter, by name and version.
        dropped: Number of samples that each filter left out.
        asked: Quantity that the mixture asks for.
        taken: Number of samples taken; a sample taken twice counts twice.
        distinct: Number of different samples taken.
        text_tokens: Number of text tokens of the samples taken.
        image_tokens: Number of image tokens of the samples taken.
        images: Number of images of the samples taken.
        modalities: Samples taken and their tokens, by modality.
        content: `content_hash` of the samples taken.
    """

    name: str
    use: str
    files: Mapping[str, int]
    layouts: Sequence[str]
    read: int
    rejected: Mapping[str, int]
    available: int
    filters: Mapping[str, Mapping[str, Any]]
    dropped: Mapping[str, int]
    asked: str
    taken: int
    distinct: int
    text_tokens: int
    image_tokens: int
    images: int
    modalities: Mapping[str, Count]
    content: str

    @property
    def tokens(self) -> int:
        """Tokens of the samples taken."""
        return self.text_tokens + self.image_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A locked mixture.

    Attributes:
        mixture: Mixture as its recipe states it.
        encoder: Description of the encoder that counted the tokens, from `SampleEncoder.describe`.
        sources: Sources with the samples taken, in the mixture's order.
    """

    mixture: Mixture
    encoder: Mapping[str, Any]
    sources: Sequence[LockedSource]

    @property
    def samples(self) -> int:
        """Samples taken."""
        return sum(source.taken for source in self.sources)

    @property
    def tokens(self) -> int:
        """Tokens of the samples taken."""
        return sum(source.tokens for source in self.sources)

    @property
    def modalities(self) -> dict[str, Count]:
        """Samples and tokens of each modality over all sources, most tokens first."""
        totals: dict[str, Count] = {}
        for source in self.sources:
            for name, (samples, tokens) in source.modalities.items():
                before = totals.get(name, Count(0, 0))
                totals[name] = Count(before.samples + samples, before.tokens + tokens)
        return dict(sorted(totals.items(), key=lambda item: (-item[1].tokens, item[0])))

    @property
    def by_source(self) -> dict[str, Count]:
        """Samples and tokens of each source."""
        return {source.name: Count(source.taken, source.tokens) for source in self.sources}

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form, without its checksum."""
        totals = {
            "samples": self.samples,
            "tokens": self.tokens,
            "text_tokens": sum(source.text_tokens for source in self.sources),
            "image_tokens": sum(source.image_tokens for source in self.sources),
        }
        return {
            "format": _FORMAT,
            "format_version": _VERSION,
            "mixture": dataclasses.asdict(self.mixture),
            "encoder": dict(self.encoder),
            "totals": totals,
            "sources": [self._source_json(source) for source in self.sources],
        }

    def to_json(self) -> bytes:
        """Returns the bytes of the lock file: a pure function of the fields."""
        fields = self.to_dict()
        checksum = xxhash.xxh3_64_hexdigest(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS))
        return orjson.dumps(
            {**fields, "checksum": checksum}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        )

    def write(self, path: Path) -> None:
        """Writes the lock file, whole or not at all."""
        write_atomically(path, self.to_json())

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Reads a lock file.

        Raises:
            InputError: The lock cannot be read.
            FormatError: The file is no lock of this version.
            ChecksumError: The lock was changed after it was written.
        """
        try:
            data = read_file(Path(path))
        except OSError as error:
            raise InputError(f"{path}: cannot read it: {error.strerror}") from error
        try:
            fields = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise FormatError(path, f"is not JSON ({error})") from None
        if not isinstance(fields, dict) or fields.get("format") != _FORMAT:
            raise FormatError(path, f'format must be "{_FORMAT}": packkit mix resolve writes it')
        if fields.get("format_version") != _VERSION:
            version = fields.get("format_version")
            raise FormatError(
                path, f"format_version must be {_VERSION}, got {version}: resolve the mixture again"
            )
        try:
            lock = cls(
                mixture=check_mixture(fields["mixture"], path),
                encoder=fields["encoder"],
                sources=[_source_from_json(source) for source in fields["sources"]],
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise FormatError(path, f"does not describe a mixture ({error!r})") from None
        if lock.to_json() != data:
            raise ChecksumError(path, "is not what was written: its checksum differs")
        return lock

    def _source_json(self, source: LockedSource) -> dict[str, Any]:
        fields = {name: getattr(source, name) for name in source.__slots__}
        fields["modalities"] = {name: count._asdict() for name, count in source.modalities.items()}
        return {
            **fields,
            "tokens": source.tokens,
            "share_of_samples": _share(source.taken, self.samples),
            "share_of_tokens": _share(source.tokens, self.tokens),
        }


def content_hash(keys: NDArray[np.uint64]) -> str:
    """Returns a hash of samples that does not depend on their order.

    Args:
        keys: uint64 [n], `sample_key` of each, repeats included.

    Returns:
        xxh3_128 of the sorted keys as little-endian bytes, hexadecimal.
    """
    return xxhash.xxh3_128_hexdigest(np.sort(keys).astype("<u8").tobytes())


def _source_from_json(fields: Mapping[str, Any]) -> LockedSource:
    values = {name: fields[name] for name in LockedSource.__slots__}
    values["modalities"] = {name: Count(**count) for name, count in fields["modalities"].items()}
    return LockedSource(**values)


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0
