"""What the command that judges data sets shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, get_args

from rich.console import Console

from packkit.cli.progress import counting
from packkit.cli.tables import plain_table, show_table
from packkit.infimed.chat import Spending, State, TasksProgress

if TYPE_CHECKING:
    from packkit.infimed.curation.assess import OnProgress
    from packkit.infimed.curation.assess_run import AssessProgress, AssessRun, CostEstimate

_STATES: tuple[State, ...] = get_args(State)


@contextmanager
def assessing() -> Iterator[OnProgress]:
    """Yields a callback that keeps one line on stderr up to date."""
    with counting() as bars:
        bar = bars.add_task("", total=None)

        def on_progress(progress: AssessProgress) -> None:
            if progress.run is None:
                bars.update(bar, description=f"drawing from {progress.drawing}")
                return
            bars.update(
                bar,
                total=progress.total,
                completed=sum(progress.run.states.values()),
                description=_run_line(progress.run),
            )

        yield on_progress


def show_assessment(report: AssessRun) -> None:
    """Prints what became of each data set, and what it cost."""
    rows = [
        (
            one.name,
            *map("{:,}".format, (one.read, sum(one.unreadable.values()), one.drawn)),
            *(f"{one.states.get(state, 0):,}" for state in _STATES),
            f"{one.left:,}",
        )
        for one in report.data_sets
    ]
    columns = ("data set", "read", "unreadable", "drawn", *_STATES, "not asked")
    show_table(f"judged by {report.model}, in {report.out}", columns, rows)
    for one in report.data_sets:
        for example in one.examples:
            print(f"unreadable: {one.name}: {example}")
    table = plain_table("spent")
    for label, spent in (("this run", report.spent), ("all runs", report.total)):
        table.add_row(label, _spent(spent))
    Console().print(table)
    if report.unmetered:
        print(f"{report.unmetered:,} replies came without a count of tokens: they count as none")
    if report.torn_bytes:
        print(f"{report.torn_bytes:,} bytes of an unfinished last line were cut off")
    if report.reached is not None:
        option = "--" + report.reached.replace("_", "-")
        print(f"{option} is reached; with a higher one the same command goes on")
    if report.failed:
        print(f"{report.failed:,} samples got no reply; the same command asks for them again")


def show_estimate(estimate: CostEstimate) -> None:
    """Prints what a run would come to."""
    table = plain_table(f"a run with {estimate.model} would come to about")
    for name, samples in estimate.samples.items():
        table.add_row(f"samples of {name}", f"{samples:,}")
    table.add_row("answered already", f"{estimate.answered:,}")
    table.add_row("requests", f"{estimate.requests:,}")
    table.add_row("tokens sent", f"{estimate.prompt_tokens:,}")
    table.add_row("tokens written", f"{estimate.completion_tokens:,}")
    if estimate.cost is not None:
        table.add_row("cost", f"{estimate.cost:,.2f}")
    Console().print(table)


def _run_line(run: TasksProgress) -> str:
    if run.is_stopping:
        return f"stopping: {run.in_flight} replies on their way, Ctrl-C again leaves them"
    states = ", ".join(f"{run.states[state]:,} {state}" for state in _STATES if state in run.states)
    cost = "" if run.spent.cost is None else f", cost {run.spent.cost:,.2f}"
    return f"judging: {states}{cost}"


def _spent(spent: Spending) -> str:
    cost = "" if spent.cost is None else f", cost {spent.cost:,.4f}"
    return (
        f"{spent.attempts:,} requests, {spent.prompt_tokens:,} tokens sent, "
        f"{spent.completion_tokens:,} written{cost}"
    )
