"""The application put together, and what becomes of errors.

Exit codes: 0 done, 1 the data or the run failed, 2 usage, 130 interrupted.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import warnings
from importlib.metadata import entry_points
from tempfile import NamedTemporaryFile
from traceback import format_exception
from types import FrameType
from typing import Any, NoReturn

import typer
from typer.rich_utils import rich_format_error

from packkit.base.errors import InputError, OutputExistsError, PackkitError
from packkit.cli.app import app
from packkit.cli.console import prepare_streams, show_notice, visible
from packkit.cli.flags import flags_of, given_flags, with_flags, with_homes
from packkit.cli.heartbeat import heartbeat
from packkit.cli.inspect import register_inspect
from packkit.cli.mix import register_mix
from packkit.cli.overlap import register_overlap
from packkit.cli.packs import register_packs
from packkit.cli.system_errors import in_words
from packkit.cli.training import register_training

_INTERRUPTED = 130
# What the command line's parser raises; it has no public name in every version of typer.
_UsageError: Any = typer.BadParameter.__base__

# In the order of --help; commands of other packages stand below.
register_packs(app)
register_inspect(app)
register_mix(app)
register_overlap(app)
register_training(app)
for _entry in sorted(entry_points(group="packkit.commands"), key=lambda entry: entry.name):
    _entry.load()(app)


def main() -> None:
    """Runs the command line and turns errors into one line and an exit code."""
    prepare_streams()
    sys.argv[1:] = with_homes(sys.argv[1:])
    warnings.showwarning = _show_warning
    # Where Ctrl-C is ignored, as in a background job, it stays so.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _say_stopping)
    try:
        with heartbeat():
            code = app(standalone_mode=False)
        # What is printed leaves here, where it still can be said that it does not.
        print(end="", flush=True)
    except _UsageError as error:
        error.message = visible(error.message)
        rich_format_error(error)
        raise SystemExit(error.exit_code) from None
    except PackkitError as error:
        code = 2 if isinstance(error, InputError) else 1
        if error.is_told:
            # A launcher ends all processes once one has ended: the one that tells comes first.
            time.sleep(1)
            raise SystemExit(code) from None
        is_flagged = isinstance(error, InputError | OutputExistsError)
        _fail(_flagged(error) if is_flagged else _failed(error), code)
    except IndexError as error:
        _fail(str(error), 1)
    except BrokenPipeError:
        # The reader, such as head, has seen enough. Python flushes once more as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except OSError as error:
        _fail(_placed(error), 1)
    except Exception as error:
        _fail(_unexpected(error), 1)
    # Typer makes this code of Ctrl-C, without a word.
    if code == _INTERRUPTED:
        _fail("interrupted; the same command goes on from here", _INTERRUPTED)
    raise SystemExit(code)


def _say_stopping(signal_number: int, frame: FrameType | None) -> None:
    """Says at once that Ctrl-C was heard: what is under way may take seconds to end."""
    # The interrupted code may itself be printing, which a second print would break into.
    os.write(2, b"\npackkit: stopping ...\n")
    signal.default_int_handler(signal_number, frame)


def _flagged(error: PackkitError) -> str:
    return with_flags(str(error), flags_of(app, sys.argv[1:]))


def _failed(error: Exception) -> str:
    """Returns what went wrong, and the way out where the system stood in the way."""
    cause = error.__cause__
    if not isinstance(cause, OSError):
        return str(error)
    return str(error).replace(str(cause), _placed(cause))


def _placed(error: OSError) -> str:
    return in_words(error, given_flags(app, sys.argv[1:]))


def _unexpected(error: Exception) -> str:
    """Keeps where an error of packkit's own comes from in a file, and returns what to say."""
    said, trace = f"unexpected {type(error).__name__}: {error}", "".join(format_exception(error))
    try:
        with NamedTemporaryFile(
            "w", prefix="packkit-", suffix=".txt", errors="backslashreplace", delete=False
        ) as file:
            file.write(trace)
    except OSError:
        return f"{said}\n{trace}"
    return f"{said}; {file.name} says where"


def _show_warning(message: Warning | str, *_place: object, **_more: object) -> None:
    show_notice(f"warning: {message}")


def _fail(message: str, code: int) -> NoReturn:
    """Says on stderr what failed, and exits."""
    show_notice(message)
    raise SystemExit(code)
