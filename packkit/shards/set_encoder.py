"""The encoder of a set: kept beside its packs, compared with a user's own, counting again."""

from __future__ import annotations

import hashlib
from pathlib import Path

from packkit.base.errors import ChecksumError, FingerprintError, FormatError, SampleError
from packkit.base.files import read_file
from packkit.encoding import SampleEncoder
from packkit.samples import Pack
from packkit.shards.manifest import Manifest


def encoder_checksums(folder: Path) -> dict[str, str]:
    """Returns the sha256 of every file of the encoder kept in a set, by name."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(read_file(path)).hexdigest()
        for path in sorted((folder / "encoder").glob("*.json"))
    }


def read_encoder(folder: Path, manifest: Manifest | None) -> SampleEncoder:
    """Returns the encoder kept in a set.

    Args:
        folder: Folder of the set.
        manifest: Manifest of the set; None for packs that others wrote.

    Raises:
        FormatError: The set holds no encoder.
        ChecksumError: A file under encoder/ is not the one that was written.
        FingerprintError: The installed packkit makes another encoder of the files.
    """
    if manifest is None or manifest.encoder is None:
        raise FormatError(folder, "holds no encoder; name a tokenizer")
    for name, digest in manifest.encoder_sha256.items():
        _check_sha256(folder / name, digest)
    encoder = SampleEncoder.load(folder / "encoder")
    if differences := encoder.differences(manifest.encoder):
        raise FingerprintError(f"{folder}: encoder/ is not the manifest's", differences)
    return encoder


def check_encoder(folder: Path, manifest: Manifest | None, encoder: SampleEncoder) -> bool:
    """Returns whether a set states an encoder at all, once it is seen to be the one given.

    Args:
        folder: Folder of the set, for the error.
        manifest: Manifest of the set; None for packs that others wrote.
        encoder: Encoder that the user gave.

    Raises:
        FingerprintError: The set was made with another encoder.
    """
    if manifest is None or manifest.encoder is None:
        return False
    if differences := encoder.differences(manifest.encoder):
        raise FingerprintError(f"{folder}: made with another encoder", differences)
    return True


def recount(pack: Pack, encoder: SampleEncoder, *, capacity: int, place: str) -> Pack:
    """Returns a pack with the lengths that it is trained with; those stored may differ.

    Args:
        pack: Pack that others wrote.
        encoder: Encoder that counts.
        capacity: Tokens that a pack may hold.
        place: Where the pack stands, for the error.

    Raises:
        FormatError: The pack is over the capacity, or holds a sample that cannot be trained on.
    """
    try:
        counted = Pack(pack.data, tuple(map(encoder.length, pack.data)))
    except SampleError as error:
        raise FormatError(place, str(error)) from None
    if counted.tokens > capacity:
        raise FormatError(
            place,
            f"{counted.tokens} tokens by this encoder, capacity {capacity}; pack the data again",
        )
    return counted


def _check_sha256(path: Path, digest: str) -> None:
    try:
        computed = hashlib.sha256(read_file(path)).hexdigest()
    except OSError as error:
        raise FormatError(path, f"cannot be read ({error.strerror})") from None
    if computed != digest:
        raise ChecksumError(path, f"its sha256 is {computed}, the manifest says {digest}")
