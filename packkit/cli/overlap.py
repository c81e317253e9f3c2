"""The command that looks for evaluation data in training data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from packkit.cli.app import (
    PACKS_PANEL,
    ColumnsOption,
    DataRootOption,
    IgnoreOption,
    ImageSuffixOption,
    JsonOption,
    LayoutOption,
    parse_columns,
)


def overlap_command(
    train: Annotated[list[str], typer.Argument(metavar="TRAIN...", help="Training data.")],
    against: Annotated[list[str], typer.Option(metavar="EVAL", help="Evaluation set.")],
    distance: Annotated[
        int, typer.Option(min=0, max=64, help="Bits in which hashes of near images may differ.")
    ] = 8,
    layout: LayoutOption = "auto",
    columns: ColumnsOption = "",
    data_root: DataRootOption = None,
    image_suffix: ImageSuffixOption = "",
    ignore: IgnoreOption = None,
    eval_layout: Annotated[str, typer.Option(help="Layout of EVAL, or auto.")] = "auto",
    eval_columns: Annotated[str, typer.Option(help="Fields of EVAL.")] = "",
    eval_data_root: Annotated[
        Path | None, typer.Option(help="Folder of EVAL's image paths.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="JSON lines of every hit to write.")] = None,
    json: JsonOption = False,
) -> None:
    """Look for images of an evaluation set in training data; exit code 1 where there are any."""
    import orjson

    from packkit.base.files import check_writable, write_atomically
    from packkit.cli.overlap_printing import show_overlap
    from packkit.cli.progress import counting
    from packkit.cli.tables import print_json
    from packkit.overlap import OverlapSide, find_overlap

    training = OverlapSide(
        paths=train,
        layout=layout,
        columns=parse_columns(columns),
        data_root=data_root,
        image_suffix=image_suffix,
        ignore=ignore or (),
    )
    evaluation = OverlapSide(
        paths=against,
        layout=eval_layout,
        columns=parse_columns(eval_columns),
        data_root=eval_data_root,
        image_suffix=image_suffix,
        ignore=ignore or (),
    )
    if out is not None:
        check_writable(out)
    with counting() as bars:
        bars.add_task("comparing images and questions", total=None)
        report = find_overlap(training, evaluation, max_distance=distance)
    if out is not None:
        lines = [orjson.dumps(hit.to_dict()) + b"\n" for hit in report.hits]
        write_atomically(out, b"".join(lines))
    print_json(report.to_dict()) if json else show_overlap(report)
    if report.leaked_images:
        raise typer.Exit(1)


def register_overlap(app: typer.Typer) -> None:
    """Adds the command about evaluation data in training data."""
    app.command("overlap", rich_help_panel=PACKS_PANEL)(overlap_command)
