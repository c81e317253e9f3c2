"""What tells an image from others after it was encoded anew or made smaller.

Two images are near if their perceptual hashes differ in few bits and their small grey versions
correlate. The hash alone finds candidates cheaply; among slices of one volume it is not enough.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from packkit.errors import MissingExtraError
from packkit.pixels import displayed_image

__all__ = ["MAX_DISTANCE", "MIN_CORRELATION", "Match", "Picture", "PictureIndex", "describe"]

MAX_DISTANCE = 8
"""Bits of 64 in which the hashes of near images differ at most."""

MIN_CORRELATION = 0.985
"""Of the grey versions of near images, at least."""

_HASHED_SIDE = 256
_GREY_SIDE = 32

# A flat image correlates with nothing; what little it deviates by is noise.
_FLAT = 1e-3


class Picture(NamedTuple):
    """An image as it is compared.

    Attributes:
        digest: xxh3_128 of the file's bytes.
        phash: uint64, perceptual hash.
        grey: float32 [1024], the image in 32 x 32 pixels, of mean 0 and length 1.
    """

    digest: bytes
    phash: int
    grey: NDArray[np.float32]


class Match(NamedTuple):
    """An image of the index that is the same as another one, or near it.

    Attributes:
        number: of the image in the index.
        is_exact: whether the files have the same bytes.
        distance: bits in which the hashes differ, 0 to 64.
        correlation: of the grey versions, -1 to 1.
    """

    number: int
    is_exact: bool
    distance: int
    correlation: float


def describe(data: bytes) -> Picture:
    """Returns what an image file is compared by.

    Raises:
        SampleError: it cannot be decoded.
        MissingExtraError: imagehash is not installed.
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
        pictures: the images, numbered from 0.
        max_distance: bits in which the hashes of near images differ at most.
    """

    def __init__(self, pictures: list[Picture], max_distance: int = MAX_DISTANCE) -> None:
        self._max_distance = max_distance
        self._numbers: dict[bytes, list[int]] = {}
        for number, picture in enumerate(pictures):
            self._numbers.setdefault(picture.digest, []).append(number)
        self._phashes = np.array([picture.phash for picture in pictures], np.uint64)
        greys = [picture.grey for picture in pictures]
        self._greys = np.stack(greys) if greys else np.empty((0, _GREY_SIDE**2), np.float32)

    def matches(self, picture: Picture) -> list[Match]:
        """Returns every image of the index that is the same as this one, or near it.

        Cost: one pass over the hashes, O(images of the index).
        """
        exact = set(self._numbers.get(picture.digest, ()))
        distances = np.bitwise_count(self._phashes ^ np.uint64(picture.phash))
        near = np.flatnonzero(distances <= self._max_distance)
        correlations = self._greys[near] @ picture.grey
        return [
            Match(number, number in exact, distance, round(correlation, 4))
            for number, distance, correlation in zip(
                near.tolist(), distances[near].tolist(), correlations.tolist(), strict=True
            )
            if number in exact or correlation >= MIN_CORRELATION
        ]
