"""How the command line shows things: progress, tables, bars."""

from packkit.terminal.progress import progress, training
from packkit.terminal.tables import plain_table, print_json, show_histogram, show_table

__all__ = [
    "plain_table",
    "print_json",
    "progress",
    "show_histogram",
    "show_table",
    "training",
]
