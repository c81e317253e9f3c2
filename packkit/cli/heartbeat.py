"""A line on stderr now and then where no bar can be seen, so that a log tells work from a hang."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from packkit.cli.console import show_notice

INTERVAL = 30.0
"""Seconds from one line to the next."""

# What is under way says how far it is; the innermost comes last.
_under_way: list[Callable[[], str]] = []


@contextmanager
def under_way(say: Callable[[], str]) -> Iterator[None]:
    """Has the lines hold what a function returns while something is under way."""
    _under_way.append(say)
    try:
        yield
    finally:
        _under_way.remove(say)


@contextmanager
def heartbeat() -> Iterator[None]:
    """Prints a line every `INTERVAL` seconds where stderr is no terminal, on the first rank."""
    # Every process that torchrun starts comes here.
    if sys.stderr.isatty() or os.environ.get("RANK", "0") != "0":
        yield
        return
    is_done, started = threading.Event(), time.monotonic()

    def beat() -> None:
        # A log that takes no more lines is no reason to end the work.
        with suppress(OSError):
            while not is_done.wait(INTERVAL):
                elapsed = timedelta(seconds=int(time.monotonic() - started))
                said = [say() for say in _under_way[-1:]] or ["at work"]
                show_notice(f"{elapsed}: {said[0]}")

    thread = threading.Thread(target=beat, name="packkit-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_done.set()
        thread.join()
