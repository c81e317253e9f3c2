"""Signs of life for logs: where stderr is no terminal, no bar is drawn there, and lines are few."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING

from rich.progress import Progress

from packkit.cli.console import show_error

if TYPE_CHECKING:
    from typing import Self

    from rich.progress import ProgressColumn

INTERVAL = 30.0
"""Time between two lines, seconds: rare enough for a log, and soon enough for whoever waits."""


class Bars(Progress):
    """Bars on a terminal; elsewhere a plain line for every `INTERVAL` that a command goes on.

    The line comes by the clock and not by progress, so that a step that takes an hour is seen to be
    under way. A command that is done sooner prints none.
    """

    def __init__(
        self, *columns: ProgressColumn, is_silent: bool = False, **options: object
    ) -> None:
        super().__init__(*columns, **options)  # type: ignore[arg-type]
        self._is_silent = is_silent
        self._started = time.monotonic()
        self._is_over = Event()
        self._thread = Thread(target=self._beat, name="packkit-heartbeat", daemon=True)

    def __enter__(self) -> Self:
        """Starts the bars, or the clock."""
        if self.console.is_terminal:
            super().__enter__()
        elif not self._is_silent:
            self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Ends them; nothing is printed afterwards."""
        if self.console.is_terminal:
            super().__exit__(*error)  # type: ignore[arg-type]
        elif not self._is_silent:
            self._is_over.set()
            self._thread.join()

    def line(self) -> str:
        """Returns what the newest bar says, and for how long the command has run."""
        elapsed = timedelta(seconds=int(time.monotonic() - self._started))
        tasks = self.tasks
        if not tasks:
            return f"at work, {elapsed} so far"
        task = tasks[-1]
        count = f"{task.completed:,.0f}" if task.completed or task.total is not None else ""
        if task.total is not None:
            count += f" of {task.total:,.0f}"
        # A bar of steps says how the newest went; others say what they count.
        what = (
            (f"step {count}", task.description)
            if "step" in task.fields
            else (task.description, count)
        )
        return f"{': '.join(filter(None, what))}, {elapsed} so far"

    def _beat(self) -> None:
        # A log that takes no more lines is no reason to end the work.
        with suppress(OSError):
            while not self._is_over.wait(INTERVAL):
                show_error(self.line())
