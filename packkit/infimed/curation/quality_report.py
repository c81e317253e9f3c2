"""What the scores of data sets come to, which of them are kept, and how far people agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from packkit.base.errors import InputError
from packkit.infimed.curation.agreement import Agreement, agreements
from packkit.infimed.curation.ratings import read_all_ratings
from packkit.infimed.curation.results import Assessment, read_assessments
from packkit.infimed.curation.rules import DataSetVerdict, Rules, decide, shipped_rules
from packkit.infimed.curation.summaries import DataSetSummary, summarize


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityReport:
    """What the results of a judge come to.

    Attributes:
        model: The judge.
        prompt_version: Of the rubric and its prompt.
        rules: Name of the rules that decided.
        data_sets: What their scores are.
        verdicts: What the rules say of them, in the same order.
        agreements: Of each rater with the judge, then of each two raters.
    """

    model: str
    prompt_version: str
    rules: str
    data_sets: Sequence[DataSetSummary]
    verdicts: Sequence[DataSetVerdict]
    agreements: Sequence[Agreement]

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON."""
        return asdict(self)


def report_on(
    scores: str | Path, *, rules: Rules | None = None, ratings: Iterable[str | Path] = ()
) -> QualityReport:
    """Sums up the results of `packkit assess`, and decides about each data set.

    Args:
        scores: The results; all of one judge.
        rules: What decides; by default `packkit.infimed.curation.rules.shipped_rules`.
        ratings: Files of people who rated a sheet.

    Raises:
        FormatError: The results or a file of ratings are something else.
        InputError: There are no results, or of several judges, or a rater has several files.
        MissingExtraError: The shipped rules are needed and pydantic is not installed.
        OSError: A file cannot be read.
    """
    found = read_assessments(scores)
    model, prompt_version = _judge(scores, found)
    rules = rules or shipped_rules()
    data_sets = summarize(found)
    return QualityReport(
        model=model,
        prompt_version=prompt_version,
        rules=rules.name,
        data_sets=data_sets,
        verdicts=[decide(one, rules) for one in data_sets],
        agreements=agreements(read_all_ratings(ratings), found, model),
    )


def _judge(path: str | Path, found: Sequence[Assessment]) -> tuple[str, str]:
    judges = sorted({(one.model, one.prompt_version) for one in found})
    if not judges:
        raise InputError(f"{path}: holds no results")
    if len(judges) > 1:
        names = ", ".join(f"{model} (prompt {version})" for model, version in judges)
        raise InputError(
            f"{path}: holds scores of several judges, which no figure may mix: {names}; "
            "have each write a file of its own"
        )
    return judges[0]
