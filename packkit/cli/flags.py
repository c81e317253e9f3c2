"""Flags for the options that messages of the library name: ``max_len`` is ``--max-len`` here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import typer


def flags_of(app: typer.Typer, arguments: Sequence[str]) -> dict[str, str]:
    """Returns the flags of the command that arguments call, by the names of its options."""
    command: Any = typer.main.get_command(app)
    for word in arguments:
        command = getattr(command, "commands", {}).get(word, command)
    return {
        option.name: option.opts[0]
        for option in command.params
        if option.param_type_name == "option"
    }


def with_flags(message: str, flags: Mapping[str, str]) -> str:
    """Returns a message with the flags of the options that it names behind it.

    >>> with_flags("max_len must be at least 8, got 3", {"max_len": "--max-len"})
    'max_len must be at least 8, got 3 (--max-len)'
    """
    named = [flag for name, flag in flags.items() if _names(message, name)]
    return f"{message} ({', '.join(named)})" if named else message


def _names(message: str, name: str) -> bool:
    """Returns whether a message means an option, and no part of a path, key or sentence."""
    if re.match(rf"{name} must\b", message):
        return True
    # Other names, such as out or data, are words of plain English too.
    is_unmistakable = "_" in name or name == "overwrite"
    return is_unmistakable and bool(re.search(rf"(?<![\w./-]){name}(?![\w./-])", message))
