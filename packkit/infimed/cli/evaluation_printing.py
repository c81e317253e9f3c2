"""What the commands that evaluate models show."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from packkit.cli.console import show_line
from packkit.cli.progress import counting
from packkit.cli.tables import show_table

if TYPE_CHECKING:
    from packkit.infimed.chat import TasksProgress
    from packkit.infimed.evaluation.cases import CasesReport
    from packkit.infimed.evaluation.comparison import Comparison, Estimate
    from packkit.infimed.evaluation.judgements import OnJudgement
    from packkit.infimed.evaluation.run import AnswersReport, OnAnswer
    from packkit.infimed.evaluation.score_file import ScoreFile
    from packkit.infimed.evaluation.tables import Table


@contextmanager
def answering() -> Iterator[OnAnswer]:
    """Yields a callback that keeps one line on stderr up to date, of the answers so far."""
    with counting() as bars:
        bar = bars.add_task("opening the model", total=None)

        def on_progress(done: int, total: int) -> None:
            bars.update(bar, completed=done, total=total, description="answering")

        yield on_progress


@contextmanager
def judging() -> Iterator[OnJudgement]:
    """Yields a callback that keeps one line on stderr up to date, of what a judge has said."""
    with counting() as bars:
        bar = bars.add_task("judging", total=None)

        def on_progress(progress: TasksProgress, total: int) -> None:
            states = ", ".join(f"{count:,} {state}" for state, count in progress.states.items())
            done = sum(progress.states.values())
            bars.update(bar, completed=done, total=total, description=f"judging: {states}")

        yield on_progress


def show_run(report: AnswersReport) -> None:
    """Prints what became of each benchmark, and how fast that was."""
    rows = [
        (name, *(f"{n:,}" for n in (counts.questions, counts.answered, counts.refused, counts.cut)))
        for name, counts in report.benchmarks.items()
    ]
    columns = ("benchmark", "questions", "answered", "refused", "cut off")
    show_table(f"{report.model} ({report.backend}), in {report.out}", columns, rows)
    show_line(
        f"{report.answers:,} answers in {report.seconds:,.1f} s: "
        f"{report.answers_per_second:,.2f} answers/s"
    )
    if report.torn_bytes:
        show_line(f"{report.torn_bytes:,} bytes of an unfinished last line were cut off")
    for name, counts in report.benchmarks.items():
        for error in counts.errors:
            show_line(f"no answer: {name}: {error}")
    if report.failed:
        show_line(
            f"{report.failed:,} questions got no answer; the same command asks for them again"
        )
    else:
        show_line(f"score them: packkit eval score {report.out}")


def show_scores(scores: ScoreFile) -> None:
    """Prints what the questions of each benchmark fall into, and the average, if there is one."""
    from packkit.infimed.evaluation.tables import PART_COLUMNS, parts, percent

    rows = [part.cells() for part in parts(scores)]
    show_table(f"{scores.model}, scored by {scores.scored_by}", PART_COLUMNS, rows)
    for name, benchmark in scores.benchmarks.items():
        if benchmark.guesses:
            show_line(f"{name}: {benchmark.guesses:,} verdicts come from likeness or chance")
    if scores.missing:
        show_line(f"no average: {', '.join(scores.missing)} missing")
    else:
        show_line(f"average over the benchmarks: {percent(scores.average)}")


def show_results(table: Table) -> None:
    """Prints a table turned on its side, for narrow terminals, and what the marks stand for."""
    if table.mixes:
        show_line("")
        show_line(f"this table mixes what cannot be compared: {table.mixes}")
    rows = [
        ("" if number else column, label, cell)
        for column, *cells in list(zip(table.columns, *table.rows(), strict=True))[1:]
        for number, (label, cell) in enumerate(
            zip((result.label for result in table.results), cells, strict=True)
        )
    ]
    show_table("accuracy, %", ("benchmark", "result", "accuracy"), rows)
    for line in table.legend():
        show_line(line)


def show_comparison(comparison: Comparison) -> None:
    """Prints how far two models are apart."""
    from packkit.infimed.evaluation.benchmarks import TITLES

    rows = [
        _estimate_row(TITLES[name], f"{comparison.counts[name].n:,}", estimate)
        for name, estimate in comparison.benchmarks.items()
    ]
    total = sum(counts.n for counts in comparison.counts.values())
    rows.append(_estimate_row("all questions", f"{total:,}", comparison.pooled))
    if comparison.average is not None:
        rows.append(_estimate_row("average", "", comparison.average))
    columns = ("benchmark", "n", "A", "B", "A - B", "95 %", "P(A beats B)")
    title = f"A {comparison.a}, B {comparison.b}: {comparison.method}"
    show_table(title, columns, rows)
    if comparison.missing:
        show_line(f"no average: {', '.join(comparison.missing)} missing")
    for name, counts in comparison.counts.items():
        if counts.judge_failed or counts.unshared:
            show_line(
                f"{name}: left out {counts.judge_failed:,} without a verdict of the judge, "
                f"{counts.unshared:,} that one of them was not asked"
            )


def show_cases(report: CasesReport) -> None:
    """Prints what a page of cases holds."""
    rows = [
        (who, f"{report.cases[who]:,}", f"{report.candidates[who]:,}") for who in report.candidates
    ]
    show_table(f"cases in {report.out}", ("who is right", "shown", "of"), rows)
    show_line(f"{report.bytes / 2**20:,.1f} MiB; it opens in a browser and needs no network")


def _estimate_row(name: str, n: str, estimate: Estimate) -> tuple[str, ...]:
    return (
        name,
        n,
        f"{100 * estimate.a:.1f}",
        f"{100 * estimate.b:.1f}",
        f"{100 * estimate.difference:+.1f}",
        f"{100 * estimate.low:+.1f} to {100 * estimate.high:+.1f}",
        f"{estimate.a_beats_b:.3f}",
    )
