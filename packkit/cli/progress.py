"""Progress on stderr: one bar a phase, one line for the newest step.

Where stderr is no terminal, each of them is a plain line now and then; see `packkit.cli.heartbeat`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from packkit.cli.console import data_text
from packkit.cli.heartbeat import Bars

if TYPE_CHECKING:
    from packkit.base.engine import Progress as OnProgress
    from packkit.training.metrics import StepMetrics
    from packkit.training.trainer import OnStep

_PHASES = {
    "measure": "measuring spans",
    "write": "writing shards",
    "verify": "verifying packs",
    "index": "indexing shards",
}


class _Description(ProgressColumn):
    """What a bar counts, which may name data: no markup, and one line."""

    def __init__(self) -> None:
        super().__init__(Column(no_wrap=True))

    def render(self, task: Task) -> Text:
        """Returns the description of a task."""
        return data_text(task.description)


@contextmanager
def progress() -> Iterator[OnProgress]:
    """Yields a callback that draws one bar a phase on stderr."""
    columns = (
        _Description(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def on_progress(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(_PHASES.get(phase, phase), total=total)
            bars.update(tasks[phase], completed=done)

        yield on_progress


@contextmanager
def counting() -> Iterator[Bars]:
    """Yields bars on stderr that count one thing after another, gone once they are done."""
    columns = (
        _Description(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        yield bars


@contextmanager
def training_progress(*, is_silent: bool = False) -> Iterator[OnStep]:
    """Yields a callback that keeps one line on stderr up to date, of the newest step.

    Args:
        is_silent: Whether no line is printed where stderr is no terminal.
    """
    columns = (
        TextColumn("step"),
        MofNCompleteColumn(),
        BarColumn(),
        _Description(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    console = Console(stderr=True)
    with Bars(*columns, console=console, is_silent=is_silent) as bars:
        tasks: list[TaskID] = []

        def on_step(metrics: StepMetrics, steps: int) -> None:
            if not tasks:
                tasks.append(bars.add_task("", total=steps, step=True))
            bars.update(tasks[0], completed=metrics.step, description=_step_line(metrics))

        yield on_step


def _step_line(metrics: StepMetrics) -> str:
    parts = [
        f"loss {metrics.loss:.3f}",
        f"lr {metrics.lr:.1e}",
        f"norm {metrics.grad_norm:.2f}",
        f"{metrics.tokens_per_second:,.0f} tokens/s",
        f"{metrics.images_per_second:,.1f} images/s",
        f"waits {metrics.data_seconds / metrics.seconds:.0%}",
    ]
    return "  ".join(parts + ([] if metrics.mfu is None else [f"MFU {metrics.mfu:.0%}"]))
