"""What the index says of one pack: the one record that writing, rebuilding and verifying share.

A writer makes it from what it was given, `packkit.shards.scan` makes it from the stored text
alone, and verifying compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import xxhash

from packkit.samples import Origin, Sample

UNKNOWN_TOKENS = -1
"""Tokens of an image in packs made without an encoder; 0 means that it lies past the cut."""


class MeasuredSample(NamedTuple):
    """A sample with what was measured of it, ready to be written.

    Attributes:
        sample: Its images are read when it is written.
        length: Tokens.
        image_sizes: Width and height of each image as displayed, pixels.
        image_tokens: Tokens of each image; 0 past the cut, -1 where there is no encoder.
    """

    sample: Sample
    length: int
    image_sizes: Sequence[tuple[int, int]]
    image_tokens: Sequence[int]


class ImagePlace(NamedTuple):
    """Where an image stands in the text of its pack.

    Attributes:
        sample: Number of its sample in the pack.
        offset: First byte of its base64 in the text.
        size: Bytes of its base64.
        checksum: Xxh3_64 of the decoded bytes.
    """

    sample: int
    offset: int
    size: int
    checksum: int


class SampleRow(NamedTuple):
    """What the index says of a sample.

    Attributes:
        length: Tokens.
        group: The label that statistics count it under, if it has one.
        origin: Where it was read, if that is known.
    """

    length: int
    group: str | None
    origin: Origin | None


class ImageRow(NamedTuple):
    """What the index says of an image.

    Attributes:
        sample: Number of its sample in the pack.
        offset: First byte of its base64 in the file, the quote left out.
        size: Bytes of its base64.
        width: Pixels as displayed; 0 where another writer's image has no readable header.
        height: Pixels as displayed; 0 likewise.
        tokens: Tokens it takes; 0 past the cut, -1 where that is unknown.
        checksum: Xxh3_64 of the decoded bytes.
    """

    sample: int
    offset: int
    size: int
    width: int
    height: int
    tokens: int
    checksum: int


class PackRow(NamedTuple):
    """What the index says of a pack.

    Attributes:
        offset: First byte of its JSON text in the file.
        size: Bytes of the text, line end left out.
        tokens: Sum of its lengths.
        checksum: Xxh3_64 of the text.
        samples: One row a sample.
        images: One row an image, in the order of the text.
        file: Name of its file, where every pack has its own.
    """

    offset: int
    size: int
    tokens: int
    checksum: int
    samples: tuple[SampleRow, ...]
    images: tuple[ImageRow, ...]
    file: str | None = None


def make_row(
    text: bytes,
    items: Sequence[MeasuredSample],
    places: Sequence[ImagePlace],
    *,
    offset: int,
    file: str | None,
) -> PackRow:
    """Returns the row of a pack.

    Args:
        text: Its JSON text.
        items: Its samples, measured.
        places: Where the images stand in the text, in order.
        offset: Where the text begins in its file.
        file: Name of the file, where every pack has its own.

    Raises:
        ValueError: The numbers of images, sizes and token counts differ.
    """
    sizes = [size for item in items for size in item.image_sizes]
    tokens = [count for item in items for count in item.image_tokens]
    return PackRow(
        offset,
        len(text),
        sum(item.length for item in items),
        xxhash.xxh3_64_intdigest(text),
        tuple(SampleRow(item.length, _group(item.sample), item.sample.origin) for item in items),
        tuple(
            ImageRow(place.sample, offset + place.offset, place.size, *size, count, place.checksum)
            for place, size, count in zip(places, sizes, tokens, strict=True)
        ),
        file,
    )


def _group(sample: Sample) -> str | None:
    label = sample.meta.get("source")
    if isinstance(label, str):
        return label
    return None if sample.origin is None else sample.origin.source
