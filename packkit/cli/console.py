"""The edge to the terminal: everything that a command prints goes through here.

Ids, texts, names of files and replies of servers may hold what a terminal obeys: escape sequences
that retitle it, write its clipboard or hide lines, and marks that turn the direction of text. They
are shown in a visible form, such as ``\\x1b``, and are no markup. Styles are packkit's own.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from unicodedata import category

from rich.text import Text

# Controls, invisible formats, halves of surrogate pairs, and breaks of lines and paragraphs.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Joiners of letters, which Persian, Indian scripts and emoji need, and which move nothing.
_JOINERS = "\u200c\u200d"
_LOGIN = re.compile(r"://[^\s/]*@")
_NOT_PLAIN = re.compile("[^ -~]")


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def visible(text: str, *, kept: str = "\n\t", escape: Callable[[str], str] = _escape) -> str:
    """Returns a text with every character that a terminal may obey in a visible form.

    Args:
        text: Text from anywhere.
        kept: Controls that stay as they are.
        escape: Function that makes the visible form of a character.

    >>> visible("a\\x1b]52;c;aGk=\\x07b")
    'a\\\\x1b]52;c;aGk=\\\\x07b'
    """
    kept += _JOINERS

    def shown(match: re.Match[str]) -> str:
        character = match[0]
        is_shown = character in kept or category(character) not in _INVISIBLE
        return character if is_shown else escape(character)

    return _NOT_PLAIN.sub(shown, text)


def data_text(text: str, style: str = "") -> Text:
    """Returns a text as rich takes it, with nothing in it that is markup or control."""
    return Text(visible(text), style=style)


def show_line(text: str) -> None:
    """Prints a text on stdout as exactly one line, whatever breaks of lines it holds."""
    print(visible(text, kept="\t"))


def show_text(text: str) -> None:
    """Prints a text on stdout; its line breaks stay."""
    print(visible(text))


def show_notice(text: str) -> None:
    """Prints an error or a remark on stderr under packkit's name; further lines are indented.

    User and password of a URL are left out: an input may be named by one.
    """
    shown = visible(_LOGIN.sub("://", text)).replace("\n", "\n  ")
    print(f"packkit: {shown}", file=sys.stderr)


def prepare_streams() -> None:
    """Makes stdout and stderr show what their encoding lacks as escapes, in place of an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
