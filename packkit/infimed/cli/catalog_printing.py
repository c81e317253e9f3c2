"""What ``packkit catalog`` shows."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from packkit.cli.console import data_text
from packkit.cli.tables import show_facts
from packkit.infimed.data.catalog import DataSet


def show_data_sets(data_sets: Iterable[DataSet]) -> None:
    """Prints a line for each data set."""
    table = Table(title="data sets", title_justify="left")
    for column in ("name", "layout"):
        table.add_column(column, no_wrap=True)
    table.add_column("samples", justify="right", no_wrap=True)
    for column in ("licence", "where"):
        table.add_column(column, overflow="fold")
    for data_set in data_sets:
        licence = data_set.licence.partition(",")[0]
        cells = (data_set.name, data_set.layout, _samples(data_set), licence, data_set.where)
        table.add_row(*map(data_text, cells))
    Console().print(table)


def show_data_set(data_set: DataSet) -> None:
    """Prints all that is known of a data set."""
    facts = (
        ("layout", data_set.layout),
        ("files", data_set.files),
        ("where", data_set.where),
        ("samples", _samples(data_set)),
        ("licence", data_set.licence),
        ("modality", _modality(data_set)),
        ("left out by the paper", "yes" if data_set.excluded else "no"),
        ("note", data_set.note),
    )
    show_facts(f"{data_set.name}: {data_set.title}", facts, justify="left")


def _samples(data_set: DataSet) -> str:
    return "-" if data_set.samples is None else f"{data_set.samples:,}"


def _modality(data_set: DataSet) -> str:
    if data_set.modality_key is not None:
        return f"told by {data_set.modality_key} in meta"
    return data_set.modality or "unknown"
