"""A data set of JPEGs as large as those of real caption sets, made from a few real pictures."""

from __future__ import annotations

import io
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from packing_speed import WORDS
from PIL import Image

from loader_formats.base import Sample

SIDES = (384, 512)
SIZES = (30_000, 100_000)
QUALITIES = range(30, 98)
LINES = "captions.jsonl"


def make_images(pictures: Path, folder: Path, count: int) -> None:
    """Writes ``images/*.jpg`` and captions.jsonl, unless they are there already.

    Args:
        pictures: Folder of image files.
        folder: Folder that the data set is written to.
        count: Number of images to make.
    """
    if (folder / LINES).exists() and len((folder / LINES).read_bytes().splitlines()) == count:
        return
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "images").mkdir(parents=True)
    sources = list(_read_pictures(pictures))
    lines = []
    for number in range(count):
        rng = np.random.default_rng([0, number])
        path = folder / "images" / f"{number:05}.jpg"
        path.write_bytes(_make_image(sources[number % len(sources)], rng))
        words = " ".join(rng.choice(WORDS, rng.integers(20, 41)))
        lines.append(json.dumps({"image": f"images/{path.name}", "caption": words}) + "\n")
    (folder / LINES).write_text("".join(lines))


def read_samples(folder: Path) -> Iterator[Sample]:
    """Yields the samples that `make_images` wrote."""
    for line in (folder / LINES).read_text().splitlines():
        record = json.loads(line)
        path = folder / record["image"]
        yield Sample(path.stem, path.read_bytes(), record["caption"])


def _read_pictures(folder: Path) -> Iterator[Image.Image]:
    """Yields pictures large enough to be cropped, with three channels, as figures mostly have."""
    for path in sorted(folder.iterdir()):
        with Image.open(path) as picture:
            if min(picture.size) >= 128:
                yield picture.convert("RGB")


def _make_image(picture: Image.Image, rng: np.random.Generator) -> bytes:
    pixels = np.asarray(_crop(picture, rng), np.float32)
    wanted = float(np.clip(rng.lognormal(math.log(62_000), 0.35), *SIZES))
    noise = rng.standard_normal(pixels.shape, np.float32)
    level = rng.uniform(2, 5)
    # Noise is what a sensor adds and what interpolation took away; without it a picture made larger
    # is too smooth to reach the size of a real file.
    while len(jpeg := _encode(pixels + level * noise, wanted)) < SIZES[0]:
        level *= 1.5
    return jpeg


def _crop(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    width, height = (int(side * rng.uniform(0.5, 1)) for side in picture.size)
    left = int(rng.integers(0, picture.width - width + 1))
    top = int(rng.integers(0, picture.height - height + 1))
    size = tuple(rng.integers(SIDES[0], SIDES[1] + 1, 2).tolist())
    return picture.resize(
        size, Image.Resampling.BICUBIC, box=(left, top, left + width, top + height)
    )


def _encode(pixels: np.ndarray, wanted: float) -> bytes:
    """Returns the JPEG of the best quality that stays within the wanted size."""
    image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    jpegs = {QUALITIES.start: _jpeg(image, QUALITIES.start)}
    low, high = QUALITIES.start, QUALITIES.stop
    while high - low > 1:
        middle = (low + high) // 2
        jpegs[middle] = _jpeg(image, middle)
        low, high = (middle, high) if len(jpegs[middle]) <= wanted else (low, middle)
    return jpegs[low]


def _jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
