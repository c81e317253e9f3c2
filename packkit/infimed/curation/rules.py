"""Which data sets are kept and which dropped, by a file of rules."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from packkit.base.checked_toml import check_tables, read_tables
from packkit.base.errors import InputError
from packkit.infimed.curation.rubric import RUBRIC, SCORES
from packkit.infimed.curation.summaries import DataSetSummary

_STRICT: Any = {"extra": "forbid", "strict": True}

_SHIPPED = "infimed.toml"

Decision = Literal["keep", "drop", "undecided"]
RuleResult = Literal["holds", "fails", "too few samples", "no images"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One ``[[thresholds]]`` table: what a data set must reach to be kept.

    Attributes:
        criterion: Of the rubric, or ``overall``.
        measure: Which figure of its scores; see `packkit.infimed.curation.summaries.ScoreSummary`.
        at_least: The smallest value that holds; exactly one of this and `at_most` is given.
        at_most: The largest one.
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
        """The rule as people read it."""
        what = f"{self.criterion} {self.measure}"
        if self.at_least is None:
            return f"{what} at most {self.at_most:g}"
        return f"{what} at least {self.at_least:g}"

    def holds(self, value: float) -> bool:
        """Whether a value is on the right side; the limit itself is."""
        if self.at_least is not None:
            return value >= self.at_least
        return self.at_most is not None and value <= self.at_most


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """One ``[[exclusions]]`` table: a data set that is dropped whatever its scores are.

    Attributes:
        data_set: Its name, as the results give it.
        reason: Why.
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
    """What decides about a data set.

    Attributes:
        version: Of this notation.
        name: Of the rules.
        min_samples: Samples scored below which nothing is decided, in each criterion that a
            threshold is about.
        min_coverage: Share of the samples that must have scores for anything to be decided.
        thresholds: All must hold for a data set to be kept.
        exclusions: Come before all else.
    """

    __pydantic_config__ = _STRICT

    version: Literal[1]
    name: str
    min_samples: int
    min_coverage: float
    thresholds: list[Threshold]
    exclusions: list[Exclusion] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Of a single score there is no interval.
        if self.min_samples < 2:
            raise InputError(f"min_samples must be at least 2, got {self.min_samples}")
        if not 0 <= self.min_coverage <= 1:
            raise InputError(f"min_coverage must be in 0..1, got {self.min_coverage:g}")
        if not self.thresholds:
            raise InputError("thresholds must hold at least one")
        for name, count in Counter(one.data_set for one in self.exclusions).items():
            if count > 1:
                raise InputError(f"exclusions: {name} stands there {count} times")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one threshold came to for one data set.

    Attributes:
        rule: The threshold, as people read it.
        value: What was found; None where nothing was scored.
        n: Samples that it was found of.
        outcome: What follows.
    """

    rule: str
    value: float | None
    n: int
    outcome: RuleResult

    @property
    def text(self) -> str:
        """The rule, the value and what follows."""
        value = "no scores" if self.value is None else f"{self.value:.3g} of {self.n:,} samples"
        return f"{self.rule}: {value}, {self.outcome}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSetVerdict:
    """What the rules say of one data set.

    Attributes:
        data_set: Its name.
        decision: Keep, drop, or undecided where there are too few scores.
        reason: Which rule decided, and the value found.
        findings: Every threshold, whether it decided or not.
    """

    data_set: str
    decision: Decision
    reason: str
    findings: Sequence[Finding]


def read_rules(path: str | Path) -> Rules:
    """Reads a file of rules.

    Raises:
        InputError: It cannot be read, or a key is unknown, missing or not legal; the key is named.
        MissingExtraError: Pydantic is not installed.
    """
    return check_rules(read_tables(Path(path)), path)


def shipped_rules() -> Rules:
    """Returns the rules that hold where no others are named.

    Raises:
        MissingExtraError: Pydantic is not installed.
    """
    text = files(__package__).joinpath(_SHIPPED).read_text("utf-8")
    return check_rules(tomllib.loads(text), _SHIPPED)


def check_rules(tables: Mapping[str, Any], place: str | Path) -> Rules:
    """Makes rules from what a file holds.

    Args:
        tables: What it holds.
        place: The file, for messages.

    Raises:
        InputError: A key is unknown, missing or not legal; the key is named.
        MissingExtraError: Pydantic is not installed.
    """
    return check_tables(Rules, tables, place, extra="judge")


def decide(data_set: DataSetSummary, rules: Rules) -> DataSetVerdict:
    """Decides about a data set.

    An exclusion comes first, then the minimum of samples and of coverage, then the thresholds: one
    that fails drops the data set, and one with too few samples leaves it undecided. A threshold on
    imaging relevance is passed over where no sample has an image.
    """
    findings = [_finding(data_set, threshold, rules) for threshold in rules.thresholds]
    decision, reason = _decision(data_set, rules, findings)
    return DataSetVerdict(
        data_set=data_set.name, decision=decision, reason=reason, findings=findings
    )


def _finding(data_set: DataSetSummary, threshold: Threshold, rules: Rules) -> Finding:
    scores = data_set.scores[threshold.criterion]
    value: float | None = getattr(scores, threshold.measure)
    outcome: RuleResult
    if scores.n < rules.min_samples or value is None:
        # Only imaging relevance lacks scores where others have them.
        no_images = scores.n == 0 and data_set.without_image == 1
        outcome = "no images" if no_images else "too few samples"
    else:
        outcome = "holds" if threshold.holds(value) else "fails"
    return Finding(rule=threshold.text, value=value, n=scores.n, outcome=outcome)


def _decision(
    data_set: DataSetSummary, rules: Rules, findings: Sequence[Finding]
) -> tuple[Decision, str]:
    for exclusion in rules.exclusions:
        if exclusion.data_set == data_set.name:
            return "drop", f"exclusion of {exclusion.data_set}: {exclusion.reason}"
    scored = data_set.states.get("ok", 0)
    if scored < rules.min_samples:
        return "undecided", f"min_samples {rules.min_samples:,}: {scored:,} scored"
    if data_set.coverage < rules.min_coverage:
        found = f"{scored:,} of {data_set.samples:,} scored, {data_set.coverage:.3g}"
        return "undecided", f"min_coverage {rules.min_coverage:g}: {found}"
    for outcome, decision in _BY_OUTCOME.items():
        if decisive := [one.text for one in findings if one.outcome == outcome]:
            return decision, "; ".join(decisive)
    return "keep", "; ".join(one.text for one in findings)


# One that fails outweighs one that cannot be told.
_BY_OUTCOME: Mapping[RuleResult, Decision] = {"fails": "drop", "too few samples": "undecided"}
