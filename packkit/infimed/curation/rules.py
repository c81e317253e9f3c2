"""The rules that decide which data sets are kept, and their files."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from packkit.base.checked_toml import check_tables, read_tables
from packkit.base.errors import InputError
from packkit.base.values import LARGEST_COUNT, check_number, check_whole
from packkit.infimed.curation.rubric import RUBRIC, SCORES

_STRICT: Any = {"extra": "forbid", "strict": True}

_SHIPPED = "infimed.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One ``[[thresholds]]`` table: what a data set must reach to be kept.

    Attributes:
        criterion: Criterion of the rubric, or ``overall``.
        measure: Figure of the scores in the criterion, a field of
            `packkit.infimed.curation.summaries.ScoreSummary`.
        at_least: Smallest value that holds; exactly one of `at_least` and `at_most` is given.
        at_most: Largest value that holds; exactly one of `at_least` and `at_most` is given.
    """

    __pydantic_config__ = _STRICT

    criterion: str
    measure: Literal["mean", "share_low", "ci_low", "ci_high"]
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        if self.criterion not in RUBRIC:
            known = ", ".join(RUBRIC)
            raise InputError(f"criterion must be one of {known}, got {self.criterion!r}")
        if (self.at_least is None) == (self.at_most is None):
            raise InputError("at_least or at_most must be given, and not both")
        low, high = (0, 1) if self.measure == "share_low" else (SCORES[0], SCORES[-1])
        for name in ("at_least", "at_most"):
            limit = getattr(self, name)
            if limit is not None and not low <= limit <= high:
                where = f"{name} of {self.criterion} {self.measure}"
                raise InputError(f"{where} must be in {low}..{high}, got {limit:g}")

    @property
    def text(self) -> str:
        """The threshold as people read it."""
        figure = f"{self.criterion} {self.measure}"
        if self.at_least is None:
            return f"{figure} at most {self.at_most:g}"
        return f"{figure} at least {self.at_least:g}"

    def holds(self, value: float) -> bool:
        """Whether a value reaches the threshold; the limit itself does."""
        if self.at_least is not None:
            return value >= self.at_least
        return self.at_most is not None and value <= self.at_most


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """One ``[[exclusions]]`` table: a data set that is dropped whatever its scores are.

    Attributes:
        data_set: Name of the data set, as the results give it.
        reason: Why the data set is dropped.
    """

    __pydantic_config__ = _STRICT

    data_set: str
    reason: str

    def __post_init__(self) -> None:
        for name in ("data_set", "reason"):
            if not getattr(self, name).strip():
                raise InputError(f"{name} must not be empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules that decide about data sets.

    Attributes:
        version: Version of the format of such files.
        name: Name of the rules, which the report repeats.
        min_samples: Number of samples that must have scores in the criterion of a threshold for it
            to decide; at least 2.
        min_coverage: Share of the samples that must have scores for anything to be decided, 0 to 1.
        thresholds: Thresholds that a data set must reach to be kept, all of them.
        exclusions: Data sets that are dropped whatever their scores are.
    """

    __pydantic_config__ = _STRICT

    version: Literal[1]
    name: str
    min_samples: int
    min_coverage: float
    thresholds: list[Threshold]
    exclusions: list[Exclusion] = field(default_factory=list)

    def __post_init__(self) -> None:
        # A single score has no interval.
        check_whole("min_samples", self.min_samples, 2, LARGEST_COUNT)
        check_number("min_coverage", self.min_coverage, 0, 1)
        if not self.thresholds:
            raise InputError("thresholds must hold at least one")
        for name, count in Counter(exclusion.data_set for exclusion in self.exclusions).items():
            if count > 1:
                raise InputError(f"exclusions: {name} is listed {count} times")


def read_rules(path: str | Path) -> Rules:
    """Reads a file of rules.

    Raises:
        InputError: The file cannot be read, or a key is unknown, missing or not legal and named.
        MissingExtraError: The package pydantic is not installed.
    """
    return check_rules(read_tables(Path(path)), path)


def shipped_rules() -> Rules:
    """Returns packkit's own rules, which hold where no others are named.

    Raises:
        MissingExtraError: The package pydantic is not installed.
    """
    text = files(__package__).joinpath(_SHIPPED).read_text("utf-8")
    return check_rules(tomllib.loads(text), _SHIPPED)


def check_rules(tables: Mapping[str, Any], place: str | Path) -> Rules:
    """Makes rules of the tables of a TOML file.

    Args:
        tables: Content of the file.
        place: Name of the file, for messages.

    Raises:
        InputError: A key is unknown, missing or not legal; the key is named.
        MissingExtraError: The package pydantic is not installed.
    """
    return check_tables(Rules, tables, place, extra="judge")
