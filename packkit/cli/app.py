"""The application that commands register with, and the options that they share."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["Json", "app"]

app = typer.Typer(
    name="packkit",
    help="Pack image-text samples of uneven length into dense sequences, and train on them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON, and nothing else.")]
