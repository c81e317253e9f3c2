"""The application that commands register with, and the options that they share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

from packkit.cli.amounts import parse_tokens

if TYPE_CHECKING:
    from typer import Context

PACKS_PANEL, TRAINING_PANEL = "Packs", "Training"
"""The panels of ``packkit --help``; other packages add their own below."""


class _CommandsFirst(TyperGroup):
    """Lists commands before groups, each in the order in which they were added."""

    def list_commands(self, ctx: Context) -> list[str]:  # type: ignore[override]
        """Returns the names in the order of --help."""
        return sorted(self.commands, key=lambda name: isinstance(self.commands[name], TyperGroup))


app = typer.Typer(
    cls=_CommandsFirst,
    name="packkit",
    help="Pack image-text samples of uneven length into dense sequences, and train on them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the report as JSON, and nothing else.")
]

LayoutOption = Annotated[
    str, typer.Option("--layout", help="auto, or a layout of docs/sources.md.")
]

ColumnsOption = Annotated[
    str, typer.Option(help="Fields that have other names, as image=NAME,text=NAME.")
]

DataRootOption = Annotated[
    Path | None, typer.Option(help="Folder of image paths (default: that of each file).")
]

ImageSuffixOption = Annotated[
    str, typer.Option(help="Ending of image names that have none, as .jpg.")
]

IgnoreOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY|MARKER",
        help="Key or marker of records that does not matter; may be repeated.",
    ),
]

NewTokensOption = Annotated[
    int,
    typer.Option(
        parser=parse_tokens, metavar="TOKENS", help="Tokens of an answer at most: 512, 1k (1024)."
    ),
]

ReplyTokensOption = Annotated[
    int,
    typer.Option(
        parser=parse_tokens,
        metavar="TOKENS",
        help="Tokens of a reply at most, its reasoning included: 4096, 4k (k = 1024).",
    ),
]


def parse_columns(text: str) -> dict[str, str]:
    """Parses the value of --columns, ``image=NAME,text=NAME``."""
    columns = {}
    for pair in filter(None, text.split(",")):
        role, equals, field = pair.partition("=")
        if not (role and equals and field):
            raise typer.BadParameter(f"--columns must be role=field,..., got {pair!r}")
        columns[role.strip()] = field.strip()
    return columns
