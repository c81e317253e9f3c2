"""The command groups of InfiMed, which ``packkit`` finds through an entry point."""

from __future__ import annotations

import typer

from packkit.infimed.cli.assess import assess_run_command
from packkit.infimed.cli.assess_review import assess_report_command, assess_sheet_command
from packkit.infimed.cli.catalog import catalog_command
from packkit.infimed.cli.evaluation import eval_app

__all__ = ["register_infimed"]

_PANEL = "InfiMed"


def register_infimed(app: typer.Typer) -> None:
    """Adds the commands about the paper's data sets, their quality, and benchmarks."""
    app.command("catalog", rich_help_panel=_PANEL)(catalog_command)
    assess = typer.Typer(
        help="Have a language model score data sets by a rubric.", no_args_is_help=True
    )
    assess.command("run")(assess_run_command)
    assess.command("report")(assess_report_command)
    assess.command("sheet")(assess_sheet_command)
    app.add_typer(assess, name="assess", rich_help_panel=_PANEL)
    app.add_typer(eval_app, name="eval", rich_help_panel=_PANEL)
