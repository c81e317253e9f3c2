"""Reads an evaluation set into memory, streams the training data past it, and notes matches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

from packkit.base.errors import InputError
from packkit.overlap.pictures import MAX_DISTANCE, Picture, PictureIndex
from packkit.overlap.sides import Described, OverlapSide, Place, Side

HitKind = Literal["image", "image+question"]
"""What two samples share: an image, or an image and the question about it. A question alone, such
as "Is this normal?", is counted and is no hit."""


class Hit(NamedTuple):
    """An image of the training data that the evaluation set has too.

    Attributes:
        kind: Whether the image alone or image and question are the same.
        train: Place of the image in the training data.
        eval: Place of the image in the evaluation set.
        is_exact: Whether the files have the same bytes.
        distance: Number of bits, of 64, in which the perceptual hashes differ.
        correlation: Correlation of the small grey versions, -1 to 1.
    """

    kind: HitKind
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
        train_samples: Number of samples of the training data that could be read.
        eval_samples: Number of samples of the evaluation set that could be read.
        train_unreadable: Number of unreadable records of the training data, by reason.
        eval_unreadable: Number of unreadable records of the evaluation set, by reason.
        eval_images: Number of images of the evaluation set.
        leaked_images: Number of images of the evaluation set that the training data have too.
        leaked_pairs: Number of images that the training data have with the same question.
        same_questions: Number of samples of the training data that ask a question of the
            evaluation set, whatever their images.
        hits: All pairs of images that match.
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


def find_overlap(
    train: OverlapSide, against: OverlapSide, *, max_distance: int = MAX_DISTANCE
) -> OverlapReport:
    """Searches training data for the images and questions of an evaluation set.

    Memory: about 4 KiB an image of the evaluation set, and every hit; the training data are
    streamed.

    Args:
        train: Inputs of the training data.
        against: Inputs of the evaluation set.
        max_distance: Largest number of bits, of 64, in which the hashes of near images differ.

    Raises:
        InputError: An input names nothing, no sample of a side can be read, or `max_distance` is
            out of range.
        FormatError: A file cannot be read as its name says.
        MissingExtraError: The package imagehash is not installed.
    """
    if not 0 <= max_distance <= 64:
        raise InputError(f"max_distance must be in 0..64, got {max_distance}")
    known, side = _Known.read(against, max_distance), Side("the training data", train)
    hits: list[Hit] = []
    same_questions = 0
    for sample in side.read():
        same_questions += not sample.questions.isdisjoint(known.questions)
        hits += known.hits(sample)
    leaked = {hit.eval for hit in hits}
    return OverlapReport(
        train_samples=side.samples,
        eval_samples=known.side.samples,
        train_unreadable=side.unreadable,
        eval_unreadable=known.side.unreadable,
        eval_images=len(known.owners),
        leaked_images=len(leaked),
        leaked_pairs=len({hit.eval for hit in hits if hit.kind == "image+question"}),
        same_questions=same_questions,
        hits=hits,
    )


class _Known(NamedTuple):
    """The evaluation set in memory.

    Attributes:
        side: Counts of the side.
        pictures: Images of the side.
        owners: Place of each image, and the questions of its sample.
        questions: Questions of all samples.
    """

    side: Side
    pictures: PictureIndex
    owners: list[tuple[Place, frozenset[str]]]
    questions: frozenset[str]

    @classmethod
    def read(cls, against: OverlapSide, max_distance: int) -> _Known:
        side = Side("the evaluation set", against)
        pictures: list[Picture] = []
        owners: list[tuple[Place, frozenset[str]]] = []
        questions: set[str] = set()
        for sample in side.read():
            pictures += sample.pictures
            owners += [(place, sample.questions) for place in sample.places]
            questions |= sample.questions
        return cls(side, PictureIndex(pictures, max_distance), owners, frozenset(questions))

    def hits(self, sample: Described) -> Iterator[Hit]:
        """Yields the images that a sample of the training data shares with the set."""
        for place, picture in zip(sample.places, sample.pictures, strict=True):
            for match in self.pictures.matches(picture):
                owned, questions = self.owners[match.number]
                kind: HitKind = (
                    "image" if sample.questions.isdisjoint(questions) else "image+question"
                )
                yield Hit(kind, place, owned, *match[1:])
