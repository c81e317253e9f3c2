"""The command that shows what packing would make of data, before it is packed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from packkit.sources.inspection import Inspection, SampleView

_TEXT_WIDTH = 300


def inspect_command(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", help="Files, folders, globs.")],
    samples: Annotated[int, typer.Option(min=0, help="Samples of each file to show.")] = 3,
    tokenizer: Annotated[
        str | None, typer.Option(help="tokenizer.json or hub id, to count tokens with.")
    ] = None,
    image_tokens: Annotated[str, typer.Option(help="Tokens an image takes.")] = "144",
    layout: LayoutOption = "auto",
    columns: ColumnsOption = "",
    data_root: DataRootOption = None,
    image_suffix: ImageSuffixOption = "",
    ignore: IgnoreOption = None,
    json: JsonOption = False,
) -> None:
    """Show what packing would make of data: layout, fields, samples, rejects; packs nothing."""
    from packkit.cli.tables import print_json
    from packkit.encoding import SampleEncoder
    from packkit.sources.inspection import inspect_inputs

    encoder = None
    if tokenizer is not None:
        encoder = SampleEncoder(tokenizer, image_tokens=image_tokens)
    inspections = inspect_inputs(
        [Path(item) for item in inputs],
        samples=samples,
        encoder=encoder,
        layout=layout,
        columns=parse_columns(columns),
        data_root=data_root,
        ignored=ignore or (),
        image_suffix=image_suffix,
    )
    shown = []
    for inspection in inspections:
        shown.append(inspection)
        if not json:
            _show(inspection)
    if json:
        print_json({"files": [inspection.to_dict() for inspection in shown]})
    if any(inspection.problem or inspection.rejects for inspection in shown):
        raise typer.Exit(1)


def _show(inspection: Inspection) -> None:
    from packkit.cli.console import show_line
    from packkit.cli.tables import show_facts

    fitting = ", ".join(inspection.fitting) or "none"
    facts = [
        ("container", inspection.container or "cannot be told"),
        ("layout", inspection.layout or "cannot be told"),
        ("layouts that fit its keys", fitting),
        ("records looked at", f"{inspection.records:,}"),
        *((f"field {key}", " or ".join(kinds)) for key, kinds in inspection.fields.items()),
    ]
    show_facts(inspection.name, facts, justify="left")
    if inspection.problem:
        show_line(f"cannot be packed: {inspection.problem}")
    for sample in inspection.samples:
        _show_sample(sample)
    for reason, count in inspection.rejects.items():
        show_line(f"rejected, {reason}: {count:,}, for example {inspection.examples[reason]}")


def _show_sample(sample: SampleView) -> None:
    from packkit.cli.console import show_line

    length = "" if sample.length is None else f", {sample.length:,} tokens"
    show_line(f"record {sample.position}: sample {sample.id or '-'}{length}")
    for turn in sample.turns:
        text = " ".join(turn.text.split())
        text = text if len(text) <= _TEXT_WIDTH else f"{text[:_TEXT_WIDTH]} ..."
        show_line(f"  {turn.role}{' (trained)' if turn.is_trained else ''}: {text}")
    for number, image in enumerate(sample.images):
        show_line(f"  image {number}: {image}")
    if sample.meta:
        show_line(f"  not trained: {', '.join(sample.meta)}")


def register_inspect(app: typer.Typer) -> None:
    """Adds the command that looks at data."""
    app.command("inspect", rich_help_panel=PACKS_PANEL)(inspect_command)
