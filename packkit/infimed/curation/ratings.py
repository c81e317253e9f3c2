"""What people said of the samples of a sheet: one JSON file for each rater."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from packkit.base.errors import FormatError, InputError
from packkit.infimed.curation.rubric import IMAGING_RELEVANCE, RUBRIC, SCORES

_FIELDS = ("sheet", "rater", "ratings")
_RATING_FIELDS = ("key", "scores", "comment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratings:
    """What one rater said.

    Attributes:
        sheet: Id of the sheet.
        rater: Name of the rater.
        scores: Key of a sample -> criterion -> score from 1 to 5. Imaging relevance may be missing,
            as it is where the sample has no image.
        comments: Key of a sample -> comment, where there is one.
    """

    sheet: str
    rater: str
    scores: Mapping[str, Mapping[str, int]]
    comments: Mapping[str, str]


def read_ratings(path: str | Path) -> Ratings:
    """Reads the file that a sheet saves.

    Args:
        path: JSON file that holds ``{"sheet": id, "rater": name, "ratings": [{"key", "scores",
            "comment"}, ...]}``.

    Raises:
        FormatError: The file holds something else; the place is named.
        OSError: The file cannot be read.
    """
    try:
        record = orjson.loads(Path(path).read_bytes())
    except orjson.JSONDecodeError as error:
        raise FormatError(path, f"not JSON: {error}") from error
    try:
        _check_fields(record, _FIELDS)
        return _ratings(record)
    except ValueError as error:
        raise FormatError(path, str(error)) from None


def read_all_ratings(paths: Iterable[str | Path]) -> list[Ratings]:
    """Reads files of several raters.

    Raises:
        FormatError: A file holds no ratings.
        InputError: A rater has more than one file.
        OSError: A file cannot be read.
    """
    by_rater: dict[str, tuple[str | Path, Ratings]] = {}
    for path in paths:
        ratings = read_ratings(path)
        if ratings.rater in by_rater:
            other = by_rater[ratings.rater][0]
            raise InputError(f"{path}: {other} has ratings of {ratings.rater!r} already")
        by_rater[ratings.rater] = path, ratings
    return [ratings for _, ratings in by_rater.values()]


def _ratings(record: Mapping[str, Any]) -> Ratings:
    for name in ("sheet", "rater"):
        if not isinstance(record[name], str) or not record[name].strip():
            raise ValueError(f"{name} must be a text that is not empty, got {record[name]!r}")
    if not isinstance(record["ratings"], list):
        raise ValueError("ratings must be a list")
    scores: dict[str, Mapping[str, int]] = {}
    comments = {}
    for number, rating in enumerate(record["ratings"]):
        try:
            _check_rating(rating)
            if rating["key"] in scores:
                raise ValueError(f"key {rating['key']} is given twice")
        except ValueError as error:
            raise ValueError(f"ratings[{number}]: {error}") from None
        scores[rating["key"]] = rating["scores"]
        if rating["comment"]:
            comments[rating["key"]] = rating["comment"]
    return Ratings(sheet=record["sheet"], rater=record["rater"], scores=scores, comments=comments)


def _check_rating(rating: Any) -> None:  # noqa: ANN401
    _check_fields(rating, _RATING_FIELDS)
    for name in ("key", "comment"):
        if not isinstance(rating[name], str):
            raise ValueError(f"{name} must be a text, got {rating[name]!r}")
    scores = rating["scores"]
    if not isinstance(scores, dict):
        raise ValueError(f"scores must be an object, got {scores!r}")
    if unknown := sorted(scores.keys() - RUBRIC.keys()):
        raise ValueError(f"scores.{unknown[0]} is not a criterion of the rubric")
    for criterion in RUBRIC:
        score = scores.get(criterion)
        if score is None and criterion == IMAGING_RELEVANCE:
            continue
        # To Python True equals 1 and 4.0 equals 4; neither is a score.
        if type(score) is not int or score not in SCORES:
            raise ValueError(f"scores.{criterion} must be 1 to 5, got {score!r}")


def _check_fields(record: Any, names: tuple[str, ...]) -> None:  # noqa: ANN401
    if not isinstance(record, dict):
        raise ValueError(f"must be an object with {', '.join(names)}, got {record!r}")
    if wrong := sorted(record.keys() ^ set(names)):
        raise ValueError(f"field {wrong[0]} is {'missing' if wrong[0] in names else 'unknown'}")
