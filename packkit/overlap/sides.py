"""Reads one side of the comparison: readable samples in order, and counts of unreadable records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from packkit.base.engine import usable_cpus
from packkit.base.errors import InputError, SampleError
from packkit.overlap.pictures import Picture, describe
from packkit.overlap.questions import questions_of
from packkit.samples import Origin, Sample
from packkit.sources import read_samples

# Samples whose images are decoded at once.
_BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlapSide:
    """Inputs of one side.

    Attributes:
        paths: Files, folders or globs, pack sets included.
        layout: Layout of the records, or ``auto``.
        columns: Role in the layout -> name of the field.
        data_root: Folder of image paths; by default that of each file.
        image_suffix: Ending of image names that have none.
        ignore: Keys and markers of records that do not matter.
    """

    paths: Sequence[str | Path]
    layout: str = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)
    data_root: str | Path | None = None
    image_suffix: str = ""
    ignore: Sequence[str] = ()


class Place(NamedTuple):
    """Place of an image.

    Attributes:
        source: File that holds the record.
        position: Number of the record, from 0.
        id: Id of the sample, if it has one.
        image: Number of the image in the sample, from 0.
    """

    source: str
    position: int
    id: str | None
    image: int


class Described(NamedTuple):
    """One sample as it is compared.

    Attributes:
        places: Place of each image.
        questions: Questions of the user, normalized.
        pictures: Images of the sample.
    """

    places: list[Place]
    questions: frozenset[str]
    pictures: list[Picture]


class Side:
    """One side, read once.

    Args:
        name: Name of the side in messages.
        inputs: Inputs of the side.

    Attributes:
        samples: Number of samples read so far.
    """

    def __init__(self, name: str, inputs: OverlapSide) -> None:
        self._name = name
        self._inputs = inputs
        self.samples = 0
        self._unreadable: Counter[str] = Counter()

    def read(self) -> Iterator[Described]:
        """Yields the readable samples in order, and counts the unreadable records.

        Raises:
            InputError: Nothing can be read, as with a wrong folder of images.
        """
        with ThreadPoolExecutor(usable_cpus()) as threads:
            for sample in _described_all(self._inputs, threads):
                if isinstance(sample, SampleError):
                    self._unreadable[sample.reason.value] += 1
                else:
                    self.samples += 1
                    yield sample
        if not self.samples:
            # Nothing was compared, which must not look like nothing shared.
            raise InputError(f"no sample of {self._name} can be read: {self._losses()}")

    @property
    def unreadable(self) -> dict[str, int]:
        """Number of unreadable records so far, by reason in alphabetical order."""
        return dict(sorted(self._unreadable.items()))

    def _losses(self) -> str:
        losses = (f"{reason} {count}" for reason, count in self.unreadable.items())
        return ", ".join(losses) or "there is none"


def _described_all(
    inputs: OverlapSide, threads: ThreadPoolExecutor
) -> Iterator[Described | SampleError]:
    with TemporaryDirectory(prefix="packkit-overlap-") as staging:
        samples = read_samples(
            inputs.paths,
            staging=Path(staging),
            layout=inputs.layout,
            columns=inputs.columns,
            data_root=inputs.data_root,
            ignored=inputs.ignore,
            image_suffix=inputs.image_suffix,
        )
        while batch := list(islice(samples, _BATCH)):
            yield from threads.map(_described, batch)


def _described(record: tuple[Origin, Sample | SampleError]) -> Described | SampleError:
    origin, sample = record
    if isinstance(sample, SampleError):
        return sample
    try:
        pictures = [describe(sample.image_bytes(image)) for image in range(sample.image_count)]
    except SampleError as error:
        return error
    places = [Place(*origin, sample.id, image) for image in range(len(pictures))]
    return Described(places, questions_of(sample), pictures)
