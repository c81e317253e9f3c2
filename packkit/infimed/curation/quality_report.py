"""The quality report: scores of each data set, a verdict on each, and how far people agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from packkit.base.errors import InputError
from packkit.infimed.curation.agreement import Agreement, agreements
from packkit.infimed.curation.assessments import Assessment, read_assessments
from packkit.infimed.curation.ratings import read_all_ratings
from packkit.infimed.curation.rules import Rules, shipped_rules
from packkit.infimed.curation.summaries import DataSetSummary, summarize
from packkit.infimed.curation.verdicts import DataSetVerdict, decide


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityReport:
    """What the results of a judge come to.

    Attributes:
        model: Name of the model that judged.
        prompt_version: Version of the rubric and its prompt.
        rules: Name of the rules that decided.
        data_sets: Summary of the scores of each data set.
        verdicts: Verdict of the rules on each data set, in the same order.
        agreements: Agreement of each rater with the judge, then of each two raters.
    """

    model: str
    prompt_version: str
    rules: str
    data_sets: Sequence[DataSetSummary]
    verdicts: Sequence[DataSetVerdict]
    agreements: Sequence[Agreement]

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as JSON."""
        return asdict(self)


def report_on(
    scores: str | Path,
    *,
    judge: str | None = None,
    rules: Rules | None = None,
    ratings: Iterable[str | Path] = (),
) -> QualityReport:
    """Sums up the results of `packkit.infimed.curation.assess`, and decides about each data set.

    Args:
        scores: File of the results. A judge whose name has no score in it, such as one that was
            mistyped, is left out.
        judge: Name of the model whose scores count, where the file has those of several; None
            where it has those of one.
        rules: Rules that decide; by default `packkit.infimed.curation.rules.shipped_rules`.
        ratings: Files of ratings that people saved on a sheet.

    Raises:
        FormatError: The file of results or a file of ratings holds something else.
        InputError: There are no results, or scores of several judges and none is chosen, or a
            rater has several files.
        MissingExtraError: The shipped rules are needed and pydantic is not installed.
        OSError: A file cannot be read.
    """
    lines = read_assessments(scores)
    model, prompt_version = _judge_of(scores, lines, judge)
    assessments = [line for line in lines if _judge(line) == (model, prompt_version)]
    rules = rules or shipped_rules()
    data_sets = summarize(assessments)
    return QualityReport(
        model=model,
        prompt_version=prompt_version,
        rules=rules.name,
        data_sets=data_sets,
        verdicts=[decide(data_set, rules) for data_set in data_sets],
        agreements=agreements(read_all_ratings(ratings), assessments, model),
    )


def _judge_of(path: str | Path, lines: Sequence[Assessment], chosen: str | None) -> tuple[str, str]:
    """Returns the model and rubric version whose scores are reported."""
    asked = {_judge(line) for line in lines}
    if not asked:
        raise InputError(f"{path}: holds no results")
    # A name that has no score at all is that of no judge.
    known = sorted({_judge(line) for line in lines if line.state == "ok"} or asked)
    judges = [judge for judge in known if chosen in (None, judge[0])]
    names = ", ".join(f"{model} (prompt {version})" for model, version in judges or known)
    if not judges:
        raise InputError(f"{path}: holds no scores of judge {chosen}, only of {names}")
    if len(judges) > 1:
        way_out = "judge must name one of them" if chosen is None else "have each write its own"
        raise InputError(
            f"{path}: holds scores of several judges, which no figure may mix: {names}; {way_out}"
        )
    return judges[0]


def _judge(line: Assessment) -> tuple[str, str]:
    return line.model, line.prompt_version
