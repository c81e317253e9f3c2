"""The quality report as a figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from packkit.base.errors import MissingExtraError
from packkit.infimed.curation.quality_report import QualityReport
from packkit.infimed.curation.rubric import RUBRIC, SCORES
from packkit.infimed.curation.summaries import ScoreSummary
from packkit.infimed.curation.verdicts import Decision

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DPI = 150
_INCHES_A_ROW = 0.34
_COLORS: dict[Decision, str] = {"keep": "#1f7a4d", "drop": "#b3261e", "undecided": "#7a7a7a"}


def plot_report(report: QualityReport, path: str | Path) -> None:
    """Draws a row for each data set: the mean of each criterion with its interval, and the verdict.

    Args:
        report: Report to draw; its data sets are drawn in its order, from the top.
        path: PNG file to write.

    Raises:
        MissingExtraError: The package matplotlib is not installed.
        OSError: The file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plots") from error
    rows = len(report.data_sets)
    figure = Figure(figsize=(14, 1.8 + _INCHES_A_ROW * rows), layout="constrained")
    panels = figure.subplots(1, len(RUBRIC), sharey=True, squeeze=False)[0]
    for axes, criterion in zip(panels, RUBRIC, strict=True):
        _draw_criterion(axes, report, criterion)
    # Names come from files: a dollar sign in one is no formula.
    names = [data_set.name for data_set in report.data_sets]
    panels[0].set_yticks(range(rows), names, parse_math=False)
    panels[0].set_ylim(rows - 0.4, -0.6)
    _draw_verdicts(panels[-1], report)
    title = f"judged by {report.model}, rules {report.rules}: means and 95 % intervals"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, parse_math=False)
    figure.savefig(path, format="png", dpi=_DPI)


def _draw_criterion(axes: Axes, report: QualityReport, criterion: str) -> None:
    pairs = zip(report.data_sets, report.verdicts, strict=True)
    for row, (data_set, verdict) in enumerate(pairs):
        _draw_mean(axes, row, data_set.scores[criterion], _COLORS[verdict.decision])
    axes.set_title(criterion.replace("_", " "), fontsize=9)
    axes.set_xlim(SCORES[0] - 0.2, SCORES[-1] + 0.2)
    axes.set_xticks(SCORES)
    axes.grid(axis="x", color="#e4e4e4")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_mean(axes: Axes, row: int, scores: ScoreSummary, color: str) -> None:
    if scores.mean is None:
        axes.text(3, row, "no scores", ha="center", va="center", fontsize=7, color="#7a7a7a")
        return
    if scores.ci_low is not None and scores.ci_high is not None:
        axes.plot([scores.ci_low, scores.ci_high], [row, row], color=color, linewidth=1.6)
    axes.plot([scores.mean], [row], "o", color=color, markersize=4)


def _draw_verdicts(axes: Axes, report: QualityReport) -> None:
    for row, verdict in enumerate(report.verdicts):
        axes.annotate(
            verdict.decision,
            (1.04, row),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=9,
            color=_COLORS[verdict.decision],
            annotation_clip=False,
        )
