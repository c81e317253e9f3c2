"""Flags for the options that messages of the library name: ``max_len`` is ``--max-len`` here."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer


def flags_of(app: typer.Typer, arguments: Sequence[str]) -> dict[str, str]:
    """Returns the flags of the command that arguments call, by the names of its options."""
    return {option.name: option.opts[0] for option in _options(app, arguments)}


def given_flags(app: typer.Typer, arguments: Sequence[str]) -> list[tuple[str, str]]:
    """Returns the flags of the command that arguments call, with the values they have as paths."""
    given = []
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        flag, equals, value = word.partition("=")
        if flag.startswith("-"):
            given.append((flag, value if equals else following))
    names = {flag for flag, _ in given}
    defaults = [
        (option.opts[0], str(option.default))
        for option in _options(app, arguments)
        if isinstance(option.default, Path) and not names & {*option.opts}
    ]
    return given + defaults


def with_homes(arguments: Sequence[str]) -> list[str]:
    """Returns arguments with the user's home for a ``~`` that begins a path.

    Shells put it there at the beginning of a word, and leave it as it is after a ``=``, where it
    would become a folder of that name.

    >>> with_homes(["--out=~/x", "a~/b"]) == ["--out=" + os.path.expanduser("~/x"), "a~/b"]
    True
    """
    home = os.path.expanduser("~")
    # The last "=" of --benchmark=slake=~/slake is not the first.
    return [re.sub(r"(^|=)~(?=/|$)", lambda match: match[1] + home, word) for word in arguments]


def _options(app: typer.Typer, arguments: Sequence[str]) -> list[Any]:
    """Returns the options of the command that arguments call."""
    command: Any = typer.main.get_command(app)
    for word in arguments:
        command = getattr(command, "commands", {}).get(word, command)
    return [option for option in command.params if option.param_type_name == "option"]


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
