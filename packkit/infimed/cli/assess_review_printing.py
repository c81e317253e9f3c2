"""What the commands show that report on judged data sets and make sheets for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from packkit.cli.tables import show_table
from packkit.infimed.curation.rubric import RUBRIC

if TYPE_CHECKING:
    from packkit.infimed.curation.agreement import Agreement
    from packkit.infimed.curation.quality_report import QualityReport
    from packkit.infimed.curation.sheet import SheetReport
    from packkit.infimed.curation.summaries import DataSetSummary, ScoreSummary


def show_quality_report(report: QualityReport) -> None:
    """Prints the scores of each data set, how far people agree, and the verdicts."""
    show_table(
        f"asked of {report.model}",
        ("data set", "samples", "scored", "no image"),
        [_coverage_row(one) for one in report.data_sets],
    )
    for one in report.data_sets:
        if one.coverage < 1:
            states = ", ".join(f"{count:,} {state}" for state, count in one.states.items())
            print(f"{one.name}: {states}")
    columns = ("data set", "criterion", "n", "mean", "95 %", "low")
    rows = [row for one in report.data_sets for row in _scores_rows(one)]
    show_table("scores; low: share of 1 and 2", columns, rows)
    if report.agreements:
        rows = [row for one in report.agreements for row in _agreement_rows(one)]
        show_table("agreement, weighted kappa", ("between", "criterion", "n", "kappa"), rows)
    print(f"\nby the rules {report.rules}:")
    for verdict in report.verdicts:
        print(f"  {verdict.decision:<9}  {verdict.data_set}: {verdict.reason}")


def show_sheet(report: SheetReport) -> None:
    """Prints what a sheet holds."""
    rows = [
        (name, f"{drawn:,}", f"{report.unreadable[name]:,}") for name, drawn in report.drawn.items()
    ]
    show_table(f"sheet {report.sheet}", ("data set", "drawn", "unreadable"), rows)
    print(f"{report.samples:,} samples, {report.bytes / 2**20:,.1f} MiB: {report.out}")
    print("it opens in a browser and needs no network")


def _coverage_row(one: DataSetSummary) -> tuple[str, ...]:
    shares = (f"{100 * share:.1f} %" for share in (one.coverage, one.without_image))
    return one.name, f"{one.samples:,}", *shares


def _scores_rows(one: DataSetSummary) -> Iterator[tuple[str, ...]]:
    for label, name in zip(_labels(one.name), RUBRIC, strict=True):
        scores = one.scores[name]
        yield label, name, f"{scores.n:,}", *_score_cells(scores)


def _score_cells(scores: ScoreSummary) -> tuple[str, ...]:
    interval = "-"
    if scores.ci_low is not None and scores.ci_high is not None:
        interval = f"{scores.ci_low:.2f}-{scores.ci_high:.2f}"
    if scores.mean is None or scores.share_low is None:
        return "-", interval, "-"
    return f"{scores.mean:.2f}", interval, f"{100 * scores.share_low:.0f} %"


def _agreement_rows(one: Agreement) -> Iterator[tuple[str, ...]]:
    for label, name in zip(_labels(f"{one.first}, {one.second}"), RUBRIC, strict=True):
        found = one.kappas[name]
        kappa = "undefined" if found.kappa is None else f"{found.kappa:.2f}"
        yield label, name, f"{found.n:,}", kappa


def _labels(name: str) -> list[str]:
    """Returns a name for the first of its rows, and nothing for the others."""
    return [name, *[""] * (len(RUBRIC) - 1)]
