"""What every command shows with: JSON, tables, bars."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from packkit.cli.console import data_text, visible

if TYPE_CHECKING:
    from packkit.shards.stats import Histogram

_BAR_WIDTH = 40


def print_json(report: dict[str, Any]) -> None:
    """Prints a report as JSON on stdout, its invisible characters as JSON escapes."""
    # Names of files may hold bytes that are no UTF-8, which orjson takes in no form.
    text = json.dumps(report, ensure_ascii=False, indent=2)
    # Outside strings JSON holds printable ASCII and line breaks alone.
    print(visible(text, kept="\n", escape=lambda character: json.dumps(character)[1:-1]))


def show_histogram(title: str, histogram: Histogram) -> None:
    """Prints a histogram as bars."""
    console = Console()
    spread = f"{histogram.minimum:,} to {histogram.maximum:,}, median {histogram.median:,g}"
    console.print(Text.assemble("\n", (title, "bold"), f"  {spread}"))
    tallest = max(1, *histogram.counts)
    for start, stop, count in zip(
        histogram.edges, histogram.edges[1:], histogram.counts, strict=False
    ):
        label = f"{start:,}" if stop == start + 1 else f"{start:,}-{stop - 1:,}"
        bar = "█" * round(_BAR_WIDTH * count / tallest) or ("▏" if count else "")
        console.print(f"  {label:>13} {bar} {count:,}", highlight=False)


def show_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    texts: Sequence[int] = (0,),
) -> None:
    """Prints a table of texts and figures.

    Args:
        title: Title of the table; empty for none.
        columns: Headers of the columns.
        rows: Cells of each row.
        texts: Numbers of the columns that hold text; the others hold figures.
    """
    table = Table(title=data_text(title, "table.title"), title_justify="left")
    for number, column in enumerate(columns):
        # A narrow terminal breaks names over lines and leaves figures whole.
        table.add_column(
            data_text(column),
            justify="left" if number in texts else "right",
            overflow="fold",
            no_wrap=number not in texts,
        )
    for row in rows:
        table.add_row(*map(data_text, row))
    console = Console()
    console.print()
    console.print(table)


def show_facts(
    title: str,
    facts: Iterable[tuple[str, str]],
    *,
    justify: Literal["left", "right"] = "right",
) -> None:
    """Prints a table of labels and what they stand for, without lines."""
    table = Table(
        title=data_text(title, "table.title"), title_justify="left", show_header=False, box=None
    )
    table.add_column()
    table.add_column(justify=justify)
    for label, value in facts:
        table.add_row(data_text(label), data_text(value))
    Console().print(table)
