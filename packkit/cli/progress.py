"""Progress on stderr: one bar a phase, one line for the newest step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
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
from packkit.cli.heartbeat import under_way

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
    with _bars(_Description(), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()) as bars:
        tasks: dict[str, Any] = {}

        def on_progress(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(_PHASES.get(phase, phase), total=total)
            bars.update(tasks[phase], completed=done)

        yield on_progress


@contextmanager
def counting() -> Iterator[Progress]:
    """Yields bars on stderr that count one thing after another, gone once they are done."""
    columns = (
        _Description(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with _bars(*columns) as bars:
        yield bars


@contextmanager
def training_progress() -> Iterator[OnStep]:
    """Yields a callback that keeps one line on stderr up to date, of the newest step."""
    columns = (
        TextColumn("step"),
        MofNCompleteColumn(),
        BarColumn(),
        _Description(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with _bars(*columns, transient=False) as bars:
        tasks: list[TaskID] = []

        def on_step(metrics: StepMetrics, steps: int) -> None:
            if not tasks:
                tasks.append(bars.add_task("", total=steps))
            bars.update(tasks[0], completed=metrics.step, description=_step_line(metrics))

        yield on_step


@contextmanager
def _bars(*columns: ProgressColumn, transient: bool = True) -> Iterator[Progress]:
    """Yields bars on stderr; where that is no terminal, lines say what they would show."""
    console = Console(stderr=True)
    bars = Progress(*columns, console=console, transient=transient, disable=not console.is_terminal)
    with bars, under_way(lambda: _line(bars.tasks)):
        yield bars


def _line(tasks: Sequence[Task]) -> str:
    """Returns what the newest bar shows."""
    if not tasks:
        return "starting"
    task = tasks[-1]
    counts = f"{task.completed:,.0f}" + ("" if task.total is None else f" of {task.total:,.0f}")
    return f"{counts}  {task.description}"


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
