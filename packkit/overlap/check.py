"""Reads an evaluation set into memory, streams the training data past it, and notes what meets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

from packkit.engine import usable_cpus
from packkit.errors import InputError, SampleError
from packkit.overlap.pictures import MAX_DISTANCE, Picture, PictureIndex, describe
from packkit.overlap.questions import question_of
from packkit.schema import Origin, Sample
from packkit.sources import read_samples

__all__ = ["Hit", "Inputs", "Kind", "OverlapReport", "Place", "find_overlap"]

Kind = Literal["image", "image+question"]
"""What two samples share: an image, or an image and the question about it. A question alone, such
as "Is this normal?", is counted and is no hit."""

# Samples whose images are decoded at once.
_BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What one side is read from.

    Attributes:
        paths: files, folders or globs, pack sets included.
        format: layout of the records, or ``auto``.
        columns: role in the layout -> name of the field.
        data_root: folder of image paths; by default that of each file.
    """

    paths: Sequence[str | Path]
    format: str = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)
    data_root: str | Path | None = None


class Place(NamedTuple):
    """Where an image stands.

    Attributes:
        source: file.
        position: number of the record, from 0.
        id: of the sample, if it has one.
        image: number of the image in the sample, from 0.
    """

    source: str
    position: int
    id: str | None
    image: int


class Hit(NamedTuple):
    """An image of the training data that the evaluation set has too.

    Attributes:
        kind: whether the question is the same as well.
        train: where it stands in the training data.
        eval: where it stands in the evaluation set.
        is_exact: whether the files have the same bytes.
        distance: bits of 64 in which the perceptual hashes differ.
        correlation: of the small grey versions.
    """

    kind: Kind
    train: Place
    eval: Place
    is_exact: bool
    distance: int
    correlation: float

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form."""
        places = {"train": self.train._asdict(), "eval": self.eval._asdict()}
        return {**self._asdict(), **places}


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlapReport:
    """What two sets share.

    Attributes:
        train_samples: samples of the training data that could be read.
        eval_samples: samples of the evaluation set that could be read.
        train_unreadable: records that could not, by reason.
        eval_unreadable: records that could not, by reason.
        eval_images: images of the evaluation set.
        leaked_images: how many of them stand in the training data.
        leaked_pairs: how many of them with the same question.
        same_questions: samples of the training data that ask a question of the evaluation set,
            whatever their images.
        hits: every pair of images.
    """

    train_samples: int
    eval_samples: int
    train_unreadable: Mapping[str, int]
    eval_unreadable: Mapping[str, int]
    eval_images: int
    leaked_images: int
    leaked_pairs: int
    same_questions: int
    hits: Sequence[Hit]

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form."""
        return {**asdict(self), "hits": [hit.to_dict() for hit in self.hits]}


class _Read(NamedTuple):
    """One sample as it is compared."""

    origin: Origin
    id: str | None
    question: str
    pictures: list[Picture]

    def place(self, image: int) -> Place:
        return Place(self.origin.source, self.origin.position, self.id, image)


def find_overlap(
    train: Inputs, against: Inputs, *, max_distance: int = MAX_DISTANCE
) -> OverlapReport:
    """Looks for the images and questions of an evaluation set in training data.

    Memory: about 4 KiB an image of the evaluation set; the training data are streamed.

    Args:
        train: the training data.
        against: the evaluation set.
        max_distance: bits of 64 in which the perceptual hashes of near images differ at most.

    Raises:
        InputError: an input names nothing, or `max_distance` is out of range.
        FormatError: a file cannot be read as its name says.
        MissingExtraError: imagehash is not installed.
    """
    if not 0 <= max_distance <= 64:
        raise InputError(f"max_distance must be in 0..64, got {max_distance}")
    train_unreadable: Counter[str] = Counter()
    eval_unreadable: Counter[str] = Counter()
    known = list(_read(against, eval_unreadable))
    owners = [(sample, image) for sample in known for image in range(len(sample.pictures))]
    index = PictureIndex([sample.pictures[image] for sample, image in owners], max_distance)
    questions = {sample.question for sample in known if sample.question}
    hits: list[Hit] = []
    leaked: dict[int, set[Kind]] = {}
    samples = same_questions = 0
    for sample in _read(train, train_unreadable):
        samples += 1
        same_questions += sample.question in questions
        for image, picture in enumerate(sample.pictures):
            for match in index.matches(picture):
                owner, owned = owners[match.number]
                is_pair = bool(sample.question) and sample.question == owner.question
                kind: Kind = "image+question" if is_pair else "image"
                leaked.setdefault(match.number, set()).add(kind)
                hits.append(Hit(kind, sample.place(image), owner.place(owned), *match[1:]))
    return OverlapReport(
        train_samples=samples,
        eval_samples=len(known),
        train_unreadable=dict(sorted(train_unreadable.items())),
        eval_unreadable=dict(sorted(eval_unreadable.items())),
        eval_images=len(owners),
        leaked_images=len(leaked),
        leaked_pairs=sum("image+question" in kinds for kinds in leaked.values()),
        same_questions=same_questions,
        hits=hits,
    )


def _read(inputs: Inputs, unreadable: Counter[str]) -> Iterator[_Read]:
    """Yields what can be read of a side, in order, and counts what cannot."""
    with (
        TemporaryDirectory(prefix="packkit-overlap-") as staging,
        ThreadPoolExecutor(usable_cpus()) as threads,
    ):
        samples = read_samples(
            inputs.paths,
            staging=Path(staging),
            layout=inputs.format,
            columns=inputs.columns,
            data_root=inputs.data_root,
        )
        while batch := list(islice(samples, _BATCH)):
            for one in threads.map(_described, batch):
                if isinstance(one, SampleError):
                    unreadable[one.reason.value] += 1
                else:
                    yield one


def _described(record: tuple[Origin, Sample | SampleError]) -> _Read | SampleError:
    origin, sample = record
    if isinstance(sample, SampleError):
        return sample
    try:
        pictures = [describe(sample.image_bytes(image)) for image in range(sample.image_count)]
    except SampleError as error:
        return error
    return _Read(origin, sample.id, question_of(sample), pictures)
