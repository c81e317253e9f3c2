"""The command groups of InfiMed, which ``packkit`` finds through an entry point."""

from __future__ import annotations

import typer

from packkit.infimed.cli.assess import assess_app
from packkit.infimed.cli.catalog import catalog_command
from packkit.infimed.cli.evaluation import eval_app

__all__ = ["register_infimed"]

_PANEL = "InfiMed"


def register_infimed(app: typer.Typer) -> None:
    """Adds the commands about the paper's data sets, their quality, and benchmarks."""
    app.command("catalog", rich_help_panel=_PANEL)(catalog_command)
    app.add_typer(assess_app, name="assess", rich_help_panel=_PANEL)
    app.add_typer(eval_app, name="eval", rich_help_panel=_PANEL)
