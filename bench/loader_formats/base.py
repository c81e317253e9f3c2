"""What every form is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

CHUNK_SIZE = 16 << 20
"""Bytes of a shard where a form has several: few enough that every worker gets some of them."""


class Sample(NamedTuple):
    """An image and its caption.

    Attributes:
        name: ``00017``, the number of the image.
        jpeg: Bytes of the image file.
        caption: Text of the image.
    """

    name: str
    jpeg: bytes
    caption: str


@dataclass(frozen=True, slots=True)
class Setting:
    """How to read.

    Attributes:
        decode: Turns an image file into uint8 [3, S, S].
        size: Side S of a decoded image, pixels.
        decoder: Name of the decoder behind `decode`.
        workers: Number of worker processes, or threads.
        batch_size: Images of a batch, where packs do not decide it.
    """

    decode: Callable[[bytes], np.ndarray]
    size: int
    decoder: str
    workers: int
    batch_size: int


class Reading(NamedTuple):
    """A loader, and where the images stand in a batch of it.

    Attributes:
        loader: Iterable that gives the batches of one epoch each time.
        images: Gives of a batch uint8 [n, 3, S, S], or image files where nothing is decoded.
    """

    loader: Iterable[Any]
    images: Callable[[Any], Sized]


class Form(Protocol):
    """A module of this package."""

    PACKAGE: str

    def write(self, source: Path, folder: Path, tokenizer: str) -> None:
        """Writes the samples of `source`, as `make_images` left them, into an empty folder."""

    def read(self, folder: Path, setting: Setting) -> Reading:
        """Opens what `write` wrote."""
