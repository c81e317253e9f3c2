"""The command line: one library call a command.

Nothing heavy is imported before a command runs, so that ``--help`` answers at once. Progress goes
to stderr, results to stdout; ``--json`` prints the report alone. Exit codes: 0 done, 1 the data or
the run failed, 2 usage.
"""

from __future__ import annotations

import sys

# The commands register themselves, in the order of --help.
from packkit.cli import (  # noqa: F401
    assess,
    assess_review,
    evaluation,
    mix,
    overlap,
    packs,
    sources,
    training,
)
from packkit.cli.app import app
from packkit.errors import InputError, PackkitError

__all__ = ["app", "main"]

_INTERRUPTED = 130


def main() -> None:
    """Runs the command line and turns expected errors into one line and an exit code."""
    try:
        app()
    except InputError as error:
        _fail(error, 2)
    except (PackkitError, OSError, IndexError) as error:
        _fail(error, 1)
    except SystemExit as end:
        # Typer makes this code of Ctrl-C, without a word.
        if end.code == _INTERRUPTED:
            _fail("interrupted; the same command goes on from here", _INTERRUPTED)
        raise


def _fail(error: Exception | str, code: int) -> None:
    """Says in one line on stderr what failed, and exits."""
    print(f"packkit: {error}", file=sys.stderr)
    raise SystemExit(code)
