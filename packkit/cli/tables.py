"""What every command shows with: JSON, tables, bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from packkit.shards.stats import Histogram

_BAR_WIDTH = 40


def print_json(report: dict[str, Any]) -> None:
    """Prints a report as JSON on stdout."""
    print(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())


def show_histogram(console: Console, title: str, histogram: Histogram) -> None:
    """Prints a histogram as bars."""
    spread = f"{histogram.minimum:,} to {histogram.maximum:,}, median {histogram.median:,g}"
    console.print(f"\n[bold]{title}[/bold]  {spread}")
    tallest = max(1, *histogram.counts)
    for start, stop, count in zip(
        histogram.edges, histogram.edges[1:], histogram.counts, strict=False
    ):
        label = f"{start:,}" if stop == start + 1 else f"{start:,}-{stop - 1:,}"
        bar = "█" * round(_BAR_WIDTH * count / tallest) or ("▏" if count else "")
        console.print(f"  {label:>13} {bar} {count:,}", highlight=False)


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table whose first column is text and whose others are figures.

    What stands in brackets is text too: names of files and texts of samples are no markup.
    """
    table = Table(title=Text(title, style="table.title"), title_justify="left")
    for number, column in enumerate(columns):
        # A narrow terminal breaks names over lines and leaves figures whole.
        table.add_column(
            column,
            justify="right" if number else "left",
            overflow="fold",
            no_wrap=number > 0,
        )
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console()
    console.print()
    console.print(table)


def plain_table(title: str) -> Table:
    """Returns a table of labels and figures, without lines."""
    table = Table(title=title, title_justify="left", show_header=False, box=None)
    table.add_column()
    table.add_column(justify="right")
    return table
