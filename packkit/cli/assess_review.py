"""The commands that report on judged data sets, and have people score some of them too."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from packkit.cli.app import ColumnsOption, DataRootOption, JsonOption, LayoutOption, parse_columns
from packkit.cli.assess import assess_app


@assess_app.command("report")
def report_command(
    scores: Annotated[Path, typer.Argument(metavar="SCORES", help="Results of packkit assess.")],
    rules: Annotated[
        Path | None, typer.Option(help="TOML of what decides (default: packkit's own rules).")
    ] = None,
    ratings: Annotated[
        list[Path] | None, typer.Option(help="What one person saved on a sheet; may be repeated.")
    ] = None,
    png: Annotated[Path | None, typer.Option(help="Draw it, too.")] = None,
    json: JsonOption = False,
) -> None:
    """Sum up scores, say which data sets are kept, and how far people agree with the judge."""
    from packkit import terminal
    from packkit.curation.figures import plot_report
    from packkit.curation.quality_report import report_on
    from packkit.curation.rules import read_rules
    from packkit.terminal.quality_report import show_quality_report

    found = report_on(
        scores, rules=None if rules is None else read_rules(rules), ratings=ratings or ()
    )
    if png is not None:
        plot_report(found, png)
    terminal.print_json(found.to_dict()) if json else show_quality_report(found)


@assess_app.command("sheet")
def sheet_command(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT", help="NAME=PATH, or a file or folder whose stem is the name."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The page.")] = Path("sheet.html"),
    sample: Annotated[int, typer.Option(min=1, help="Samples of each data set.")] = 50,
    seed: Annotated[
        int,
        typer.Option(min=0, help="Decides which; that of the judge's run draws among its samples."),
    ] = 0,
    layout: LayoutOption = "auto",
    columns: ColumnsOption = "",
    data_root: DataRootOption = None,
    json: JsonOption = False,
) -> None:
    """Write a page on which a person scores samples by the same rubric, without their names."""
    from packkit import terminal
    from packkit.curation.sheet import SheetConfig, make_sheet
    from packkit.terminal.quality_report import show_sheet

    config = SheetConfig(
        samples=sample,
        seed=seed,
        layout=layout,
        columns=parse_columns(columns),
        data_root=None if data_root is None else str(data_root),
    )
    made = make_sheet(inputs, out, config)
    terminal.print_json(made.to_dict()) if json else show_sheet(made)
