"""Recognizes an image after it was encoded again or made smaller.

Two images are near if their perceptual hashes differ in few bits and their small grey versions
correlate, the more strictly the more bits differ. The hash alone finds candidates cheaply; among
slices of one volume it is not enough. docs/overlap.md says on what the limits were measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from packkit.base.errors import MissingExtraError
from packkit.images.pixels import displayed_image

MAX_DISTANCE = 8
"""Bits of 64 in which the hashes of near images differ at most."""

_CLOSE_DISTANCE = 4
_CLOSE_CORRELATION = 0.94
_FAR_CORRELATION = 0.987

_HASHED_SIDE = 256
_GREY_SIDE = 32

# Images compared at once: bounds what a lookup needs besides the index, 64 MiB at worst.
_BLOCK = 1 << 14

# A flat image correlates with nothing; what little it deviates by is noise.
_FLAT = 1e-3


class Picture(NamedTuple):
    """An image as it is compared.

    Attributes:
        digest: Hash (xxh3_128) of the file's bytes.
        phash: uint64, perceptual hash of the image.
        grey: float32 [1024], the image in 32 x 32 pixels, of mean 0 and length 1.
    """

    digest: bytes
    phash: int
    grey: NDArray[np.float32]


class Match(NamedTuple):
    """An image of the index that is the same as another one, or near it.

    Attributes:
        number: Number of the image in the index.
        is_exact: Whether the files have the same bytes.
        distance: Number of bits in which the hashes differ, 0 to 64.
        correlation: Correlation of the grey versions, -1 to 1.
    """

    number: int
    is_exact: bool
    distance: int
    correlation: float


def is_near(distance: int, correlation: float) -> bool:
    """Returns whether two images whose hashes are close enough to be compared look the same.

    Args:
        distance: Number of bits, of 64, in which their perceptual hashes differ.
        correlation: Correlation of their grey versions, -1 to 1.
    """
    return correlation >= (_CLOSE_CORRELATION if distance <= _CLOSE_DISTANCE else _FAR_CORRELATION)


def describe(data: bytes) -> Picture:
    """Returns the features by which an image file is compared.

    Raises:
        SampleError: The image cannot be decoded.
        MissingExtraError: The package imagehash is not installed.
    """
    try:
        import imagehash
    except ImportError as error:
        raise MissingExtraError("imagehash", "overlap") from error
    from PIL.Image import Resampling

    side = (_HASHED_SIDE, _HASHED_SIDE)
    image = displayed_image(data).convert("L").resize(side, Resampling.BICUBIC)
    bits = imagehash.phash(image).hash.ravel()
    phash = int(np.packbits(bits).view(">u8")[0])
    small = image.resize((_GREY_SIDE, _GREY_SIDE), Resampling.LANCZOS)
    grey = np.asarray(small, np.float32).ravel()
    grey -= grey.mean()
    length = float(np.linalg.norm(grey))
    grey = grey / length if length > _FLAT else np.zeros_like(grey)
    return Picture(xxhash.xxh3_128_digest(data), phash, grey)


class PictureIndex:
    """Images that others are looked up in, about 4 KiB each.

    Args:
        pictures: Images to look up, numbered from 0.
        max_distance: Largest number of bits in which the hashes of near images differ.
    """

    def __init__(self, pictures: Sequence[Picture], max_distance: int = MAX_DISTANCE) -> None:
        self._max_distance = max_distance
        self._digests = [picture.digest for picture in pictures]
        self._phashes = np.array([picture.phash for picture in pictures], np.uint64)
        self._greys = np.empty((len(pictures), _GREY_SIDE**2), np.float32)
        for number, picture in enumerate(pictures):
            self._greys[number] = picture.grey

    def matches(self, picture: Picture) -> list[Match]:
        """Returns every image of the index that is the same as this one, or near it, in order.

        Cost: one pass over the hashes, O(images of the index).
        """
        return [
            Match(number, is_exact, distance, round(correlation, 4))
            for number, distance, correlation in self._candidates(picture)
            if (is_exact := self._digests[number] == picture.digest)
            or is_near(distance, correlation)
        ]

    def _candidates(self, picture: Picture) -> Iterator[tuple[int, int, float]]:
        """Yields number, distance and correlation of the images whose hashes are near enough."""
        wanted = np.uint64(picture.phash)
        for start in range(0, len(self._phashes), _BLOCK):
            block = slice(start, start + _BLOCK)
            distances = np.bitwise_count(self._phashes[block] ^ wanted)
            near = np.flatnonzero(distances <= self._max_distance)
            correlations = self._greys[block][near] @ picture.grey
            yield from zip(
                (near + start).tolist(),
                distances[near].tolist(),
                correlations.tolist(),
                strict=True,
            )
