"""The command about data sets: which there are, and how to feed them."""

from __future__ import annotations

from typing import Annotated

import typer

from packkit.cli.app import JsonOption, app


@app.command("sources")
def sources_command(
    name: Annotated[str | None, typer.Argument(help="A data set, to see all about it.")] = None,
    json: JsonOption = False,
) -> None:
    """List the data sets that packkit knows, with their layout, licence and place."""
    from packkit import terminal
    from packkit.sources.catalog import catalog, data_set_named
    from packkit.terminal.sources import show_data_set, show_data_sets

    if name is not None:
        found = data_set_named(name)
        terminal.print_json(found.to_dict()) if json else show_data_set(found)
    elif json:
        terminal.print_json({"sources": [one.to_dict() for one in catalog().values()]})
    else:
        show_data_sets(catalog().values())
