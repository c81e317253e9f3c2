"""The application put together, and what becomes of errors.

Exit codes: 0 done, 1 the data or the run failed, 2 usage.
"""

from __future__ import annotations

import sys
from importlib.metadata import entry_points

from packkit.base.errors import InputError, OutputExistsError, PackkitError
from packkit.cli.app import app
from packkit.cli.flags import flags_of, with_flags
from packkit.cli.mix import register_mix
from packkit.cli.overlap import register_overlap
from packkit.cli.packs import register_packs
from packkit.cli.training import register_training

_INTERRUPTED = 130

# In the order of --help; commands of other packages stand below.
register_packs(app)
register_mix(app)
register_overlap(app)
register_training(app)
for _entry in sorted(entry_points(group="packkit.commands"), key=lambda entry: entry.name):
    _entry.load()(app)


def main() -> None:
    """Runs the command line and turns expected errors into one line and an exit code."""
    try:
        app()
    except InputError as error:
        _fail(_flagged(error), 2)
    except OutputExistsError as error:
        _fail(_flagged(error), 1)
    except (PackkitError, OSError, IndexError) as error:
        _fail(error, 1)
    except SystemExit as end:
        # Typer makes this code of Ctrl-C, without a word.
        if end.code == _INTERRUPTED:
            _fail("interrupted; the same command goes on from here", _INTERRUPTED)
        raise


def _flagged(error: PackkitError) -> str:
    return with_flags(str(error), flags_of(app, sys.argv[1:]))


def _fail(error: Exception | str, code: int) -> None:
    """Says in one line on stderr what failed, and exits."""
    print(f"packkit: {error}", file=sys.stderr)
    raise SystemExit(code)
