"""Sampling: the samples of a data set that are judged are those of the smallest seeded hashes.

The hash is of a sample's content, not of its place: the same samples are drawn whatever the order
of files and records, and a smaller draw is part of a larger one.
"""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xxhash

from packkit.base.engine import LocalEngine, usable_cpus
from packkit.base.errors import InputError, SampleError
from packkit.base.orders import hash_keys, seeded_key
from packkit.images import Base64Image, FileImage, ImageRef
from packkit.images.pixels import check_pixels
from packkit.samples import Origin, Sample
from packkit.samples.keys import sample_key
from packkit.sources import read_samples
from packkit.sources.compression import inner_name

_NAME = re.compile(r"[^/*?\[\]]+")
_SHOWN = 3


class InputSet(NamedTuple):
    """The inputs of one data set.

    Attributes:
        name: Name of the data set, as results give it.
        paths: Files, folders or globs that hold its records.
    """

    name: str
    paths: tuple[str, ...]


class DrawnSample(NamedTuple):
    """One sample that was drawn.

    Attributes:
        key: Key of the sample, see `sample_key`.
        origin: File and record that the sample was read from.
        sample: The sample; its images are references to files.
    """

    key: int
    origin: Origin
    sample: Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnSet:
    """What was drawn from one data set.

    Attributes:
        name: Name of the data set.
        read: Number of records read.
        repeated: Number of records that repeat one that would be drawn, id included; it is drawn
            once.
        unreadable: Number of records that make no sample, or that would be drawn and hold an image
            that cannot be decoded, by reason.
        examples: The first few unreadable records, with place and reason.
        samples: Samples drawn, in the order of their hashes.
    """

    name: str
    read: int
    repeated: int
    unreadable: Mapping[str, int]
    examples: Sequence[str]
    samples: Sequence[DrawnSample]


def input_sets(inputs: Sequence[str]) -> list[InputSet]:
    """Groups inputs by the data set that they belong to.

    Args:
        inputs: Files, folders or globs, whose stem names the data set, or ``NAME=PATH``.

    Raises:
        InputError: A glob has no name, or there is no input.
    """
    if not inputs:
        raise InputError("no input: name a file, a folder or NAME=PATH")
    paths: dict[str, list[str]] = {}
    for text in inputs:
        name, path = _name_and_path(text)
        paths.setdefault(name, []).append(path)
    return [InputSet(name, tuple(group)) for name, group in paths.items()]


def draw(
    input_set: InputSet,
    samples: int,
    *,
    seed: int,
    staging: Path,
    layout: str,
    columns: Mapping[str, str],
    data_root: str | Path | None,
    ignored: Sequence[str] = (),
    image_suffix: str = "",
) -> DrawnSet:
    """Draws samples of a data set, and checks that all their images can be decoded.

    Args:
        input_set: Inputs to draw from; every record is read, of images the headers alone.
        samples: Samples to draw at most.
        seed: Seed of the hashes that decide which samples are drawn.
        staging: Folder for data that has to be copied; it must live as long as the samples.
        layout: Name of the layout, or ``auto``.
        columns: Role in the layout -> name of the field, for tables.
        data_root: Folder of image paths; by default that of each input file.
        ignored: Keys and markers of records that do not matter.
        image_suffix: Ending of image names that have none.

    Raises:
        InputError: An input names no file, or none of its records makes a sample.
        FormatError: A file does not hold what its name says.
    """
    drawing = _Drawing(input_set.name, samples, seed)
    records = read_samples(
        input_set.paths,
        staging=staging,
        layout=layout,
        columns=columns,
        data_root=data_root,
        ignored=ignored,
        image_suffix=image_suffix,
    )
    for origin, sample in records:
        drawing.add(origin, sample)
    return drawing.finish(staging / "images")


class _Drawing:
    """The samples of the smallest hashes so far, and counts of the other records."""

    def __init__(self, name: str, samples: int, seed: int) -> None:
        self._name, self._samples = name, samples
        self._hash = seeded_key(seed, xxhash.xxh3_64_intdigest(name.encode()))
        # Negative hashes, the largest hash on top; of equal samples the smallest origin is kept, so
        # that the order of records does not count.
        self._heap: list[tuple[int, int]] = []
        self._kept: dict[int, DrawnSample] = {}
        self._read = self._repeated = 0
        self._unreadable: Counter[str] = Counter()
        self._examples: list[str] = []

    def add(self, origin: Origin, sample: Sample | SampleError) -> None:
        """Counts one record, and keeps its sample if it may be drawn."""
        self._read += 1
        if isinstance(sample, SampleError):
            self._note(origin, sample)
            return
        try:
            key = sample_key(sample)
        except SampleError as error:
            self._note(origin, error)
            return
        if key in self._kept:
            self._repeated += 1
            self._kept[key] = min(self._kept[key], DrawnSample(key, origin, sample), key=_by_origin)
            return
        place = -int(hash_keys(np.array([key], np.uint64), self._hash)[0]), key
        if len(self._heap) < self._samples:
            heapq.heappush(self._heap, place)
        elif place > self._heap[0]:
            del self._kept[heapq.heapreplace(self._heap, place)[1]]
        else:
            return
        self._kept[key] = DrawnSample(key, origin, sample)

    def finish(self, folder: Path) -> DrawnSet:
        """Checks the drawn samples; images that are held in memory are written to a folder."""
        chosen = [self._kept[key] for _, key in sorted(self._heap, reverse=True)]
        readable = []
        for drawn, sample in zip(chosen, _settled(chosen, folder), strict=True):
            if isinstance(sample, SampleError):
                self._note(drawn.origin, sample)
            else:
                readable.append(drawn._replace(sample=sample))
        if not readable:
            why = f": {self._examples[0]}" if self._examples else ""
            raise InputError(f"{self._name}: none of {self._read} records makes a sample{why}")
        return DrawnSet(
            name=self._name,
            read=self._read,
            repeated=self._repeated,
            unreadable=dict(sorted(self._unreadable.items())),
            examples=self._examples,
            samples=readable,
        )

    def _note(self, origin: Origin, error: SampleError) -> None:
        self._unreadable[error.reason.value] += 1
        if len(self._examples) < _SHOWN:
            self._examples.append(f"{origin.source}: record {origin.position}: {error}")


def _by_origin(drawn: DrawnSample) -> Origin:
    return drawn.origin


def _settled(chosen: Iterable[DrawnSample], folder: Path) -> Iterable[Sample | SampleError]:
    """Decodes every image once; yields the samples with their images in files."""
    folder.mkdir(parents=True, exist_ok=True)

    def settle(drawn: DrawnSample) -> Sample | SampleError:
        images: list[bytes | ImageRef] = []
        try:
            for number, image in enumerate(drawn.sample.images):
                data = drawn.sample.image_bytes(number)
                check_pixels(data)
                if isinstance(image, bytes | Base64Image):
                    # Thousands of samples of many data sets may not fit into memory.
                    path = folder / f"{drawn.key:016x}-{number}"
                    path.write_bytes(data)
                    image = FileImage(str(path))
                images.append(image)
        except SampleError as error:
            return error
        return replace(drawn.sample, images=tuple(images))

    return LocalEngine(usable_cpus()).run(settle, chosen)


def _name_and_path(text: str) -> tuple[str, str]:
    name, equals, path = text.partition("=")
    # A file may well have an equals sign in its name.
    if equals and _is_name(name) and not Path(text).exists():
        return name, path
    stem = Path(inner_name(Path(text).resolve().name)).stem
    if not _is_name(stem):
        raise InputError(f"{text}: name the data set, as NAME={text}")
    return stem, text


def _is_name(text: str) -> bool:
    return text.isprintable() and _NAME.fullmatch(text) is not None
