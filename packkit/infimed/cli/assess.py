"""The command that has a judge score data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from packkit.cli.app import (
    ColumnsOption,
    DataRootOption,
    JsonOption,
    LayoutOption,
    parse_columns,
)


def assess_run_command(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT", help="NAME=PATH, or a file or folder whose stem is the name."
        ),
    ],
    judge: Annotated[str, typer.Option(metavar="MODEL", help="The model that scores.")],
    base_url: Annotated[
        str | None,
        typer.Option(
            help="OpenAI-compatible endpoint, as http://localhost:8000/v1 "
            "(default: OPENAI_BASE_URL, else OpenAI's own). The key is that of OPENAI_API_KEY."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Results; the same file goes on.")] = Path(
        "scores.jsonl"
    ),
    sample: Annotated[int, typer.Option(min=1, help="Samples of each data set.")] = 500,
    seed: Annotated[int, typer.Option(min=0, help="Decides which.")] = 0,
    concurrency: Annotated[int, typer.Option(min=1, help="Requests at the same time.")] = 8,
    max_tokens: Annotated[
        int, typer.Option(min=1, help="Tokens a reply may have, its reasoning included.")
    ] = 4096,
    max_requests: Annotated[
        int | None, typer.Option(min=1, help="Requests into this file, earlier runs included.")
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option(help="What this file may cost, earlier runs included.")
    ] = None,
    price_in: Annotated[float | None, typer.Option(help="Of a million tokens sent.")] = None,
    price_out: Annotated[float | None, typer.Option(help="Of a million tokens written.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be sent and cost; send nothing.")
    ] = False,
    layout: LayoutOption = "auto",
    columns: ColumnsOption = "",
    data_root: DataRootOption = None,
    json: JsonOption = False,
) -> None:
    """Have a language model score samples of data sets by a rubric.

    Run the same command again to go on after a kill and to ask again for what failed.
    """
    from packkit.cli.tables import print_json
    from packkit.infimed.cli.assess_printing import assessing, show_assessment, show_estimate
    from packkit.infimed.curation.assess import AssessConfig, assess, estimate

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
    )
    if dry_run:
        with assessing() as on_progress:
            found = estimate(inputs, out, config, on_progress=on_progress)
        print_json(found.to_dict()) if json else show_estimate(found)
        return
    with assessing() as on_progress:
        report = assess(inputs, out, config, on_progress=on_progress)
    print_json(report.to_dict()) if json else show_assessment(report)
    if report.failed:
        raise typer.Exit(1)
