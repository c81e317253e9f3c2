"""A key that tells one sample from another, whatever file it stands in and at which place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import orjson
import xxhash

from packkit.images import ImageRef, peek_header
from packkit.samples import Sample


class ImageStamp(NamedTuple):
    """What is known of an image from its header.

    Attributes:
        size: Size of the file, bytes.
        width: Width in pixels as displayed.
        height: Height in pixels as displayed.
    """

    size: int
    width: int
    height: int


def sample_key(sample: Sample, stamps: Sequence[ImageStamp] | None = None) -> int:
    """Returns a hash of a sample's id, its turns or parts, and the stamps of its images.

    It is the same in any file, container and order. ``meta`` has no part in it, and neither have
    the pixels of an image, of which only the header is read: choosing some of a billion samples
    must not read all their images.

    Args:
        sample: The sample whose key is wanted.
        stamps: Stamps of the images of the sample, where they are known already.

    Returns:
        An unsigned integer of 64 bits: xxh3_64 of canonical JSON.

    Raises:
        SampleError: An image cannot be read.

    >>> f"{sample_key(Sample(id='1', content=('Axial CT.',))):016x}"
    'd0e64f2ce555db2c'
    """
    if stamps is None:
        stamps = [_stamp(image) for image in sample.images]
    record = sample.to_dict(with_images=False)
    parts = [record.get(key) for key in ("id", "messages", "content")]
    return xxhash.xxh3_64_intdigest(orjson.dumps([*parts, [list(stamp) for stamp in stamps]]))


def _stamp(image: bytes | ImageRef) -> ImageStamp:
    peek, header = peek_header(image)
    return ImageStamp(peek.size, header.width, header.height)
