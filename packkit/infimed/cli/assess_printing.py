"""What the commands show that score data sets, report on them and make sheets for people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, get_args

from packkit.cli.console import show_line
from packkit.cli.progress import counting
from packkit.cli.tables import show_facts, show_table
from packkit.infimed.chat import Spending, State, TasksProgress
from packkit.infimed.curation.rubric import RUBRIC

if TYPE_CHECKING:
    from packkit.infimed.curation import AssessRun, CostEstimate, QualityReport, SheetReport
    from packkit.infimed.curation.agreement import Agreement
    from packkit.infimed.curation.assess_run import AssessProgress
    from packkit.infimed.curation.assessing import OnProgress
    from packkit.infimed.curation.summaries import DataSetSummary, ScoreSummary

_STATES: tuple[State, ...] = get_args(State)


@contextmanager
def assessing() -> Iterator[OnProgress]:
    """Yields a callback that keeps one line on stderr up to date."""
    with counting() as bars:
        bar = bars.add_task("", total=None)

        def on_progress(progress: AssessProgress) -> None:
            if progress.tasks is None:
                bars.update(bar, description=f"drawing from {progress.drawing}")
                return
            bars.update(
                bar,
                total=progress.total,
                completed=sum(progress.tasks.states.values()),
                description=_progress_line(progress.tasks),
            )

        yield on_progress


def show_assess_run(report: AssessRun) -> None:
    """Prints what became of each data set, and what it cost."""
    rows = [
        (
            data_set.name,
            f"{data_set.read:,}",
            f"{sum(data_set.unreadable.values()):,}",
            f"{data_set.drawn:,}",
            *(f"{data_set.states.get(state, 0):,}" for state in _STATES),
            f"{data_set.left:,}",
        )
        for data_set in report.data_sets
    ]
    columns = ("data set", "read", "unreadable", "drawn", *_STATES, "not asked")
    show_table(f"judged by {report.model}, in {report.out}", columns, rows)
    for data_set in report.data_sets:
        for example in data_set.examples:
            show_line(f"unreadable: {data_set.name}: {example}")
    show_facts(
        "spent",
        [
            ("this run", _spent(report.spent)),
            ("all runs, failed requests included", _spent(report.total)),
        ],
    )
    if report.unmetered:
        show_line(
            f"{report.unmetered:,} replies came without a count of tokens: they count as none"
        )
    if report.torn_bytes:
        show_line(f"{report.torn_bytes:,} bytes of an unfinished last line were cut off")
    if report.reached is not None:
        option = "--" + report.reached.replace("_", "-")
        show_line(f"{option} is reached; with a higher one the same command continues the run")
    if report.example:
        show_line(f"without scores, for example: {report.example}")
    if report.is_fruitless:
        show_line("not one sample has scores: does the judge answer as it is asked to?")
    if report.failed:
        show_line(f"{report.failed:,} samples got no reply; the same command asks for them again")


def show_estimate(estimate: CostEstimate) -> None:
    """Prints what a run would come to."""
    facts = [
        *((f"samples of {name}", f"{samples:,}") for name, samples in estimate.samples.items()),
        ("answered already", f"{estimate.answered:,}"),
        ("requests", f"{estimate.requests:,}"),
        ("tokens sent", f"{estimate.prompt_tokens:,}"),
        ("tokens written", f"{estimate.completion_tokens:,}"),
    ]
    if estimate.cost is not None:
        facts.append(("cost", f"{estimate.cost:,.2f}"))
    show_facts(f"a run with {estimate.model} would come to about", facts)


def show_quality_report(report: QualityReport) -> None:
    """Prints the scores of each data set, how far people agree, and the verdicts."""
    show_table(
        f"asked of {report.model}",
        ("data set", "samples", "scored", "no image"),
        [_coverage_row(data_set) for data_set in report.data_sets],
    )
    for data_set in report.data_sets:
        if data_set.coverage < 1:
            states = ", ".join(f"{count:,} {state}" for state, count in data_set.states.items())
            show_line(f"{data_set.name}: {states}")
    columns = ("data set", "criterion", "n", "mean", "95 %", "low")
    rows = [row for data_set in report.data_sets for row in _scores_rows(data_set)]
    show_table("scores; low: share of 1 and 2", columns, rows)
    if report.agreements:
        rows = [row for agreement in report.agreements for row in _agreement_rows(agreement)]
        show_table("agreement, weighted kappa", ("between", "criterion", "n", "kappa"), rows)
    show_line("")
    show_line(f"by the rules {report.rules}:")
    for verdict in report.verdicts:
        show_line(f"  {verdict.decision:<9}  {verdict.data_set}: {verdict.reason}")


def show_sheet(report: SheetReport) -> None:
    """Prints what a sheet holds."""
    rows = [
        (name, f"{drawn:,}", f"{report.unreadable[name]:,}") for name, drawn in report.drawn.items()
    ]
    show_table(f"sheet {report.sheet}", ("data set", "drawn", "unreadable"), rows)
    show_line(f"{report.samples:,} samples, {report.bytes / 2**20:,.1f} MiB: {report.out}")
    show_line("it opens in a browser and needs no network")


def _progress_line(progress: TasksProgress) -> str:
    if progress.is_stopping:
        return f"stopping: {progress.in_flight} replies awaited, Ctrl-C again abandons them"
    counts = progress.states
    states = ", ".join(f"{counts[state]:,} {state}" for state in _STATES if state in counts)
    cost = "" if progress.spent.cost is None else f", cost {progress.spent.cost:,.2f}"
    return f"judging: {states}{cost}"


def _spent(spent: Spending) -> str:
    cost = "" if spent.cost is None else f", cost {spent.cost:,.4f}"
    return (
        f"{spent.attempts:,} requests, {spent.prompt_tokens:,} tokens sent, "
        f"{spent.completion_tokens:,} written{cost}"
    )


def _coverage_row(data_set: DataSetSummary) -> tuple[str, ...]:
    shares = (f"{100 * share:.1f} %" for share in (data_set.coverage, data_set.without_image))
    return data_set.name, f"{data_set.samples:,}", *shares


def _scores_rows(data_set: DataSetSummary) -> Iterator[tuple[str, ...]]:
    for label, criterion in zip(_labels(data_set.name), RUBRIC, strict=True):
        scores = data_set.scores[criterion]
        yield label, criterion, f"{scores.n:,}", *_score_cells(scores)


def _score_cells(scores: ScoreSummary) -> tuple[str, ...]:
    interval = "-"
    if scores.ci_low is not None and scores.ci_high is not None:
        interval = f"{scores.ci_low:.2f}-{scores.ci_high:.2f}"
    if scores.mean is None or scores.share_low is None:
        return "-", interval, "-"
    return f"{scores.mean:.2f}", interval, f"{100 * scores.share_low:.0f} %"


def _agreement_rows(agreement: Agreement) -> Iterator[tuple[str, ...]]:
    labels = _labels(f"{agreement.first}, {agreement.second}")
    for label, criterion in zip(labels, RUBRIC, strict=True):
        kappa = agreement.kappas[criterion]
        value = "undefined" if kappa.kappa is None else f"{kappa.kappa:.2f}"
        yield label, criterion, f"{kappa.n:,}", value


def _labels(name: str) -> list[str]:
    """Returns a name for the first of its rows, and nothing for the others."""
    return [name, *[""] * (len(RUBRIC) - 1)]
