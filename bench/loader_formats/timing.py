"""One reading in the process that does it."""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable, Sized
from itertools import pairwise
from typing import Any

from measuring.processes import cpu_seconds

from loader_formats.base import Reading


def read_epochs(start: Callable[[], Reading], epochs: int, *, digest: bool) -> dict[str, Any]:
    """Reads whole epochs.

    Args:
        start: Makes the loader.
        epochs: Number of epochs that are timed. The first counts from the making of the loader on,
            so that it holds the start of the workers; those after it find them waiting.
        digest: Whether to read once more, untimed, for a number that says what was read.

    Returns:
        ``seconds`` of each epoch and ``cpu_seconds`` of all processes in it, the number of
        ``images`` in one, and ``digest``.
    """
    counts: list[int] = []
    seconds, cpu = [time.perf_counter()], [cpu_seconds(os.getpid())]
    reading = start()
    for _ in range(epochs):
        counts.append(sum(len(reading.images(batch)) for batch in reading.loader))
        seconds.append(time.perf_counter())
        cpu.append(cpu_seconds(os.getpid()))
    if len(set(counts)) > 1:
        raise ValueError(f"every epoch must hold the same images, got {counts}")
    return {
        "seconds": _steps(seconds),
        "cpu_seconds": _steps(cpu),
        "images": counts[0],
        "digest": sum(map(_digest, map(reading.images, reading.loader))) if digest else None,
    }


def _steps(values: list[float]) -> list[float]:
    return [after - before for before, after in pairwise(values)]


def _digest(images: Sized | Any) -> int:
    """Returns a number that the order of images and batches does not change."""
    if isinstance(images, list):
        return sum(map(zlib.crc32, images))
    return sum(zlib.crc32(image.numpy().tobytes()) for image in images)
