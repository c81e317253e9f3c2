"""A table of accuracies, drawn as groups of bars."""

from __future__ import annotations

from math import nan
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from packkit.base.errors import MissingExtraError
from packkit.infimed.evaluation.benchmarks import BENCHMARKS, TITLES
from packkit.infimed.evaluation.scored_results import ScoredResults
from packkit.infimed.evaluation.tables import AVERAGE, Table
from packkit.infimed.evaluation.tallies import Tally

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Rectangle

_DPI = 150
_INCHES_A_BAR = 0.14
_INCHES_A_RESULT = 0.22
# Share of the space of a benchmark that its bars fill.
_FILLED = 0.8


def plot_table(table: Table, path: str | Path) -> None:
    """Draws a group of bars for each benchmark and the average: accuracies with their intervals.

    Args:
        table: Table to draw, its rows from left to right; what is missing leaves a gap.
        path: Path of the PNG.

    Raises:
        MissingExtraError: Matplotlib is not installed.
        OSError: The file cannot be written.
    """
    try:
        from matplotlib import colormaps
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plots") from error
    groups, results = [*TITLES.values(), AVERAGE], table.results
    size = (
        max(9.0, _INCHES_A_BAR * len(groups) * (len(results) + 1)),
        4 + _INCHES_A_RESULT * len(results),
    )
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    # Colours light enough for the whiskers to be visible on the bars.
    colors = colormaps["YlGnBu"](np.linspace(0.25, 0.7, len(results)))
    width = _FILLED / len(results)
    bars = [
        _draw(axes, row, (number + 0.5) * width - _FILLED / 2, width, colors[number])
        for number, row in enumerate(results)
    ]
    axes.set_xticks(range(len(groups)), groups, fontsize=9)
    axes.set_ylim(0, 100)
    axes.set_ylabel("accuracy, %; 95 % Wilson intervals")
    axes.grid(axis="y", color="#e4e4e4")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    # Names come from files: a dollar sign in one is no formula.
    axes.set_title(_title(table), loc="left", fontsize=9, wrap=True, parse_math=False)
    legend = figure.legend(
        bars, [_label(table, row) for row in results], loc="outside lower left", fontsize=8
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    figure.savefig(path, format="png", dpi=_DPI)


def _draw(
    axes: Axes, row: ScoredResults, offset: float, width: float, color: NDArray[np.float64]
) -> Rectangle:
    """Draws the bars of a row, `offset` from the middle of each group, and returns the first."""
    heights, below, above = [], [], []
    for name in BENCHMARKS:
        tallies = row.scores.benchmarks.get(name)
        height, low, high = (nan, nan, nan) if tallies is None else _percents(tallies.total)
        heights.append(height)
        below.append(height - low)
        above.append(high - height)
    heights.append(nan if row.scores.missing else 100 * row.scores.average)
    places = [group + offset for group in range(len(heights))]
    axes.errorbar(
        places[:-1], heights[:-1], [below, above], fmt="none", ecolor="#222222", elinewidth=0.9
    )
    return axes.bar(places, heights, width, color=color).patches[0]


def _percents(tally: Tally) -> tuple[float, float, float]:
    """Returns accuracy and the bounds of its interval in percent; NaN where they are unknown."""
    if tally.accuracy is None or tally.interval is None:
        return nan, nan, nan
    return 100 * tally.accuracy, 100 * tally.interval.low, 100 * tally.interval.high


def _title(table: Table) -> str:
    return f"mixes {table.mixes}" if table.mixes else str(table.methods[0])


def _label(table: Table, row: ScoredResults) -> str:
    return f"{row.label} ({row.method})" if table.mixes else row.label
