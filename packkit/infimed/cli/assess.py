"""The commands that score data sets, report on the scores, and make sheets for people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from packkit.cli.app import (
    ColumnsOption,
    DataRootOption,
    IgnoreOption,
    ImageSuffixOption,
    JsonOption,
    LayoutOption,
    ReplyTokensOption,
    parse_columns,
)

assess_app = typer.Typer(
    help="Have a language model score data sets by a rubric.", no_args_is_help=True
)

InputsArgument = Annotated[
    list[str],
    typer.Argument(metavar="INPUT", help="NAME=PATH, or a file or folder whose stem is the name."),
]
SampleOption = Annotated[int, typer.Option(min=1, help="Samples to draw from each data set.")]


@assess_app.command("run")
def assess_run_command(
    inputs: InputsArgument,
    judge: Annotated[str, typer.Option(metavar="MODEL", help="The model that scores.")],
    base_url: Annotated[
        str | None,
        typer.Option(
            help="OpenAI-compatible endpoint, as http://localhost:8000/v1 "
            "(default: OPENAI_BASE_URL, else OpenAI's own). The key is that of OPENAI_API_KEY."
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="File of results; name it again to continue a run.")
    ] = Path("scores.jsonl"),
    sample: SampleOption = 500,
    seed: Annotated[int, typer.Option(help="Seed that decides which are drawn.")] = 0,
    concurrency: Annotated[int, typer.Option(help="Requests at the same time.")] = 8,
    max_tokens: ReplyTokensOption = 4096,
    max_requests: Annotated[
        int | None, typer.Option(help="Requests into this file, earlier runs included.")
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option(help="What this file may cost, earlier runs included.")
    ] = None,
    price_in: Annotated[float | None, typer.Option(help="Price of a million tokens sent.")] = None,
    price_out: Annotated[
        float | None, typer.Option(help="Price of a million tokens written.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be sent and cost; send nothing.")
    ] = False,
    layout: LayoutOption = "auto",
    columns: ColumnsOption = "",
    data_root: DataRootOption = None,
    image_suffix: ImageSuffixOption = "",
    ignore: IgnoreOption = None,
    json: JsonOption = False,
) -> None:
    """Have a language model score samples of data sets by a rubric.

    Run the same command again to continue after a kill and to ask again for what failed.
    """
    from packkit.cli.tables import print_json
    from packkit.infimed.cli.assess_printing import assessing, show_assess_run, show_estimate
    from packkit.infimed.curation import AssessConfig, assess, estimate

    config = AssessConfig(
        model=judge,
        base_url=base_url,
        samples=sample,
        seed=seed,
        concurrency=concurrency,
        max_tokens=max_tokens,
        max_requests=max_requests,
        max_cost=max_cost,
        price_in=price_in,
        price_out=price_out,
        layout=layout,
        columns=parse_columns(columns),
        data_root=None if data_root is None else str(data_root),
        image_suffix=image_suffix,
        ignore=tuple(ignore or ()),
    )
    if dry_run:
        with assessing() as on_progress:
            costs = estimate(inputs, out, config, on_progress=on_progress)
        print_json(costs.to_dict()) if json else show_estimate(costs)
        return
    with assessing() as on_progress:
        report = assess(inputs, out, config, on_progress=on_progress)
    print_json(report.to_dict()) if json else show_assess_run(report)
    if report.failed or report.is_fruitless:
        raise typer.Exit(1)


@assess_app.command("report")
def assess_report_command(
    scores: Annotated[Path, typer.Argument(metavar="SCORES", help="File that assess run wrote.")],
    judge: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Whose scores, where the file has those of several."),
    ] = None,
    rules: Annotated[
        Path | None, typer.Option(help="TOML of the rules (default: packkit's own).")
    ] = None,
    ratings: Annotated[
        list[Path] | None,
        typer.Option(help="File that one person saved on a sheet; may be repeated."),
    ] = None,
    png: Annotated[Path | None, typer.Option(help="Figure of the report to write.")] = None,
    json: JsonOption = False,
) -> None:
    """Sum up scores, say which data sets are kept, and how far people agree with the judge."""
    from packkit.cli.tables import print_json
    from packkit.infimed.cli.assess_printing import show_quality_report
    from packkit.infimed.curation import plot_report, read_rules, report_on

    report = report_on(
        scores,
        judge=judge,
        rules=None if rules is None else read_rules(rules),
        ratings=ratings or (),
    )
    if png is not None:
        plot_report(report, png)
    print_json(report.to_dict()) if json else show_quality_report(report)


@assess_app.command("sheet")
def assess_sheet_command(
    inputs: InputsArgument,
    out: Annotated[Path, typer.Option(help="Page to write.")] = Path("sheet.html"),
    sample: SampleOption = 50,
    seed: Annotated[
        int,
        typer.Option(
            help="Seed that decides which are drawn; that of assess run draws among its own."
        ),
    ] = 0,
    layout: LayoutOption = "auto",
    columns: ColumnsOption = "",
    data_root: DataRootOption = None,
    image_suffix: ImageSuffixOption = "",
    ignore: IgnoreOption = None,
    json: JsonOption = False,
) -> None:
    """Write a page on which a person scores samples by the same rubric, without their names."""
    from packkit.cli.tables import print_json
    from packkit.infimed.cli.assess_printing import show_sheet
    from packkit.infimed.curation import SheetConfig, make_sheet

    config = SheetConfig(
        samples=sample,
        seed=seed,
        layout=layout,
        columns=parse_columns(columns),
        data_root=None if data_root is None else str(data_root),
        image_suffix=image_suffix,
        ignore=tuple(ignore or ()),
    )
    report = make_sheet(inputs, out, config)
    print_json(report.to_dict()) if json else show_sheet(report)
