"""Which samples of a data set are judged: those of the smallest seeded hashes.

The hash is of what a sample is, not of where it stands: the same samples are drawn whatever the
order of the files and the shards they lie in, and of a larger number the smaller is a part.
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
from packkit.sources.discover import inner_name

_NAME = re.compile(r"[^/*?\[\]]+")
_SHOWN = 3


class InputSet(NamedTuple):
    """What samples are drawn from.

    Attributes:
        name: As results name it.
        paths: Files, folders or globs.
    """

    name: str
    paths: tuple[str, ...]


class Drawn(NamedTuple):
    """One sample that was drawn.

    Attributes:
        key: Its `sample_key`.
        origin: Where it was read.
        sample: Itself; images by reference.
    """

    key: int
    origin: Origin
    sample: Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """What was drawn from one data set.

    Attributes:
        name: Of the data set.
        read: Records read.
        repeated: Records that say the same as one before them, id included; none is drawn twice.
            Only those are seen that would have been drawn.
        unreadable: Records that make no sample, or that were drawn and hold an image that cannot
            be decoded, by reason.
        examples: The first few of those, with place and reason.
        samples: Those drawn, by hash.
    """

    name: str
    read: int
    repeated: int
    unreadable: Mapping[str, int]
    examples: Sequence[str]
    samples: Sequence[Drawn]


def data_sets(inputs: Sequence[str]) -> list[InputSet]:
    """Groups inputs by the data set that they belong to.

    Args:
        inputs: Each a path, whose stem names the data set, or ``NAME=PATH``.

    Raises:
        InputError: A glob has no name, or there is no input.
    """
    if not inputs:
        raise InputError("no input: name a file, a folder or NAME=PATH")
    paths: dict[str, list[str]] = {}
    for text in inputs:
        name, path = _name_and_path(text)
        paths.setdefault(name, []).append(path)
    return [InputSet(name, tuple(of)) for name, of in paths.items()]


def draw(
    data_set: InputSet,
    samples: int,
    *,
    seed: int,
    staging: Path,
    layout: str,
    columns: Mapping[str, str],
    data_root: str | Path | None,
) -> Draw:
    """Draws samples of a data set, and looks whether all their images can be decoded.

    Args:
        data_set: What to draw from; every record of it is read, of images the headers alone.
        samples: How many to draw at most.
        seed: Decides which.
        staging: Folder for what has to be copied; it must live as long as the samples.
        layout: Name of the layout, or ``auto``.
        columns: Role in the layout -> name of the field.
        data_root: Folder of image paths; by default that of each file.

    Raises:
        InputError: An input names nothing, or not one of its records makes a sample.
        FormatError: A file cannot be read as its name says.
    """
    drawing = _Drawing(data_set.name, samples, seed)
    records = read_samples(
        data_set.paths, staging=staging, layout=layout, columns=columns, data_root=data_root
    )
    for origin, sample in records:
        drawing.see(origin, sample)
    return drawing.finish(staging / "images")


class _Drawing:
    """The samples of the smallest hashes so far, and what else was seen of a data set."""

    def __init__(self, name: str, samples: int, seed: int) -> None:
        self._name, self._samples = name, samples
        self._hash = seeded_key(seed, xxhash.xxh3_64_intdigest(name.encode()))
        # By hash, the largest first; among equal keys the smallest origin, so that no order counts.
        self._heap: list[tuple[int, int]] = []
        self._kept: dict[int, Drawn] = {}
        self._read = self._repeated = 0
        self._unreadable: Counter[str] = Counter()
        self._examples: list[str] = []

    def see(self, origin: Origin, sample: Sample | SampleError) -> None:
        """Takes one record in."""
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
            self._kept[key] = min(self._kept[key], Drawn(key, origin, sample), key=_by_origin)
            return
        place = -int(hash_keys(np.array([key], np.uint64), self._hash)[0]), key
        if len(self._heap) < self._samples:
            heapq.heappush(self._heap, place)
        elif place > self._heap[0]:
            del self._kept[heapq.heapreplace(self._heap, place)[1]]
        else:
            return
        self._kept[key] = Drawn(key, origin, sample)

    def finish(self, folder: Path) -> Draw:
        """Reads and checks what was drawn; images that are held in memory go to a folder."""
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
        return Draw(
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


def _by_origin(drawn: Drawn) -> Origin:
    return drawn.origin


def _settled(chosen: Iterable[Drawn], folder: Path) -> Iterable[Sample | SampleError]:
    """Decodes every image once; yields the samples with images that stand in files."""
    folder.mkdir(parents=True, exist_ok=True)

    def settle(drawn: Drawn) -> Sample | SampleError:
        images: list[bytes | ImageRef] = []
        try:
            for number, image in enumerate(drawn.sample.images):
                data = drawn.sample.image_bytes(number)
                check_pixels(data)
                if isinstance(image, bytes | Base64Image):
                    # Thousands of samples of many data sets would not fit into memory.
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
