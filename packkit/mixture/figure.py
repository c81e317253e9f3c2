"""A mixture as a picture: shares by samples and by tokens."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from packkit.base.errors import MissingExtraError
from packkit.mixture.lock import Count

_DPI = 150
_INCHES_A_ROW = 0.42


def plot_shares(shares: Mapping[str, Count], path: str | Path, title: str) -> None:
    """Draws one pair of bars a name: its share of all samples and of all tokens.

    Args:
        shares: Samples and tokens of each source or modality; drawn in this order, from the top.
        path: PNG to write.
        title: Title of the picture.

    Raises:
        MissingExtraError: The package matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plots") from error
    figure = Figure(figsize=(8, 1.4 + _INCHES_A_ROW * len(shares)), layout="constrained")
    axes = figure.add_subplot()
    rows = range(len(shares))
    for offset, unit, color in ((-0.2, "tokens", "#1f6f8b"), (0.2, "samples", "#c9d6df")):
        counts = [getattr(count, unit) for count in shares.values()]
        percent = [100 * count / max(1, sum(counts)) for count in counts]
        bars = axes.barh([row + offset for row in rows], percent, 0.38, color=color, label=unit)
        axes.bar_label(bars, [f"{value:.1f} %" for value in percent], padding=3, fontsize=7)
    # Names come from files: a dollar sign must not start a formula.
    axes.set_yticks(rows, list(shares), parse_math=False)
    axes.invert_yaxis()
    axes.set_xlabel("share, %")
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower right", frameon=False)
    axes.set_title(title, loc="left", parse_math=False)
    figure.savefig(path, dpi=_DPI)
