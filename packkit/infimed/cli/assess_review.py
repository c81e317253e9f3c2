"""The commands that report on judged data sets, and have people score some of them too."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from packkit.cli.app import ColumnsOption, DataRootOption, JsonOption, LayoutOption, parse_columns


def assess_report_command(
    scores: Annotated[Path, typer.Argument(metavar="SCORES", help="What assess run wrote.")],
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
    from packkit.cli.tables import print_json
    from packkit.infimed.cli.assess_review_printing import show_quality_report
    from packkit.infimed.curation.figures import plot_report
    from packkit.infimed.curation.quality_report import report_on
    from packkit.infimed.curation.rules import read_rules

    found = report_on(
        scores, rules=None if rules is None else read_rules(rules), ratings=ratings or ()
    )
    if png is not None:
        plot_report(found, png)
    print_json(found.to_dict()) if json else show_quality_report(found)


def assess_sheet_command(
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
    from packkit.cli.tables import print_json
    from packkit.infimed.cli.assess_review_printing import show_sheet
    from packkit.infimed.curation.sheet import SheetConfig, make_sheet

    config = SheetConfig(
        samples=sample,
        seed=seed,
        layout=layout,
        columns=parse_columns(columns),
        data_root=None if data_root is None else str(data_root),
    )
    made = make_sheet(inputs, out, config)
    print_json(made.to_dict()) if json else show_sheet(made)
