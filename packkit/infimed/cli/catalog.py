"""The command that lists the data sets of the paper, and how to read them."""

from __future__ import annotations

from typing import Annotated

import typer

from packkit.cli.app import JsonOption


def catalog_command(
    name: Annotated[str | None, typer.Argument(help="Data set to show in full.")] = None,
    json: JsonOption = False,
) -> None:
    """List the data sets of the paper, with their layout, licence and place."""
    from packkit.cli.tables import print_json
    from packkit.infimed.cli.catalog_printing import show_data_set, show_data_sets
    from packkit.infimed.data.catalog import catalog, data_set_named

    if name is not None:
        data_set = data_set_named(name)
        print_json(data_set.to_dict()) if json else show_data_set(data_set)
    elif json:
        print_json({"data_sets": [data_set.to_dict() for data_set in catalog().values()]})
    else:
        show_data_sets(catalog().values())
