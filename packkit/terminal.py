"""How the command line shows things: progress, tables, bars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from packkit.images import read_header
from packkit.schema import Pack, Sample

if TYPE_CHECKING:
    from packkit.ledger import LedgerReport
    from packkit.packing import PackReport
    from packkit.packing.job import Progress as PackProgress
    from packkit.shards import VerifyReport
    from packkit.stats import Histogram, SetStats
    from packkit.training.metrics import StepMetrics
    from packkit.training.trainer import OnStep
    from packkit.whatif import WhatIf

__all__ = [
    "print_json",
    "progress",
    "show_histogram",
    "show_ledger",
    "show_pack",
    "show_plans",
    "show_report",
    "show_sample",
    "show_stats",
    "show_table",
    "show_verification",
    "training",
]

_BAR_WIDTH = 40
_TEXT_WIDTH = 60
_PHASES = {"measure": "measuring spans", "write": "writing shards", "verify": "verifying packs"}


@contextmanager
def progress() -> Iterator[PackProgress]:
    """Yields a callback that draws one bar a phase on stderr."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def on_progress(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(_PHASES.get(phase, phase), total=total)
            bars.update(tasks[phase], completed=done)

        yield on_progress


@contextmanager
def training() -> Iterator[OnStep]:
    """Yields a callback that keeps one line on stderr up to date, of the newest step."""
    columns = (
        TextColumn("step"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: list[TaskID] = []

        def on_step(metrics: StepMetrics, steps: int) -> None:
            if not tasks:
                tasks.append(bars.add_task("", total=steps))
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


def print_json(report: dict[str, Any]) -> None:
    """Prints a report as JSON on stdout."""
    print(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())


def show_report(report: PackReport, out: Path) -> None:
    """Prints the figures of a packing run."""
    table = _plain_table(f"packed into {out}")
    table.add_row("samples read", f"{report.samples_read:,}")
    table.add_row("samples packed", f"{report.samples_packed:,}")
    table.add_row("samples rejected", f"{report.samples_rejected:,}")
    for reason, count in report.rejects.items():
        table.add_row(f"  {reason}", f"{count:,}")
    if report.duplicate_ids:
        table.add_row("duplicate ids", f"{report.duplicate_ids:,}")
    table.add_row("images", f"{report.images:,}")
    table.add_row("tokens", f"{report.tokens:,}")
    table.add_row("packs", f"{report.packs:,}")
    table.add_row("efficiency", f"{report.efficiency:.2%}")
    table.add_row("lower bound", f"{report.lower_bound:,}")
    table.add_row("gap", f"{report.gap:.3%}")
    if report.fill_packs is not None and report.fill_packs < report.packs:
        saved = report.packs - report.fill_packs
        table.add_row("packs that --algorithm fill would save", f"{saved:,}")
    table.add_row("shards", f"{report.shards:,}")
    table.add_row("size", _bytes(report.bytes))
    table.add_row("seconds", f"{report.seconds:,.1f}")
    Console().print(table)


def show_stats(stats: SetStats, name: str) -> None:
    """Prints counts, histograms and the mixture of a pack set."""
    console = Console()
    table = _plain_table(name)
    for label, value in (
        ("packs", f"{stats.packs:,}"),
        ("samples", f"{stats.samples:,}"),
        ("images", f"{stats.images:,}"),
        ("tokens", f"{stats.tokens:,}"),
        ("size", _bytes(stats.bytes)),
        ("capacity", f"{stats.capacity:,}"),
        ("efficiency", f"{stats.efficiency:.2%}"),
        ("lower bound", f"{stats.lower_bound:,}"),
        ("gap", f"{stats.gap:.3%}"),
        ("single-source packs", f"{stats.single_source_packs:.1%}"),
    ):
        table.add_row(label, value)
    console.print(table)
    show_histogram(console, "length of samples, tokens", stats.lengths)
    show_histogram(console, "samples per pack", stats.samples_per_pack)
    show_histogram(console, "images per pack", stats.images_per_pack)
    rows = [
        (
            source.name,
            f"{source.samples:,}",
            f"{source.tokens:,}",
            f"{source.share:.2%}",
            _percent(source.noise),
            _percent(source.independent_noise),
        )
        for source in stats.sources
    ]
    title = f"sources; noise of their share from step to step, {stats.packs_per_step} packs a step"
    show_table(title, ("source", "samples", "tokens", "share", "noise", "if independent"), rows)


def show_plans(rows: Sequence[WhatIf], name: str) -> None:
    """Prints what capacities and algorithms would give."""
    cells = [
        (
            f"{row.capacity:,}",
            row.algorithm,
            f"{row.packs:,}",
            f"{row.efficiency:.2%}",
            f"{row.lower_bound:,}",
            f"{row.gap:.3%}",
            f"{row.overlong:,}",
        )
        for row in rows
    ]
    columns = ("capacity", "algorithm", "packs", "efficiency", "lower bound", "gap", "overlong")
    show_table(name, columns, cells)


def show_verification(report: VerifyReport) -> None:
    """Prints what was verified, and every problem."""
    for problem in report.problems:
        print(problem)
    encoded = f", {report.encoded:,} lengths counted again" if report.encoded else ""
    verdict = f"{len(report.problems):,} problems" if report.problems else "sound"
    print(
        f"{verdict}: {report.packs:,} packs, {report.samples:,} samples, "
        f"{report.images:,} images, {_bytes(report.bytes)}{encoded}"
    )


def show_ledger(report: LedgerReport) -> None:
    """Prints what training consumed, epoch by epoch, and every problem."""
    rows = [
        (
            f"{one.epoch}" if one.finished else f"{one.epoch} (under way)",
            *map("{:,}".format, (one.steps, one.packs, one.repeated, one.missing)),
            *map("{:,}".format, (one.dropped, one.fillers, one.masked)),
        )
        for one in report.epochs
    ]
    columns = ("epoch", "steps", "packs", "repeated", "missing", "dropped", "fillers", "masked")
    show_table(f"{report.runs:,} runs, {report.steps:,} steps", columns, rows)
    for problem in report.problems:
        print(problem)
    if report.open_steps:
        print(f"{report.open_steps:,} steps at the end that not all ranks noted")
    verdict = (
        f"{len(report.problems):,} problems" if report.problems else "every pack once an epoch"
    )
    print(verdict)


def show_pack(pack: Pack, number: int) -> None:
    """Prints the samples of a pack, a line each."""
    rows = [
        (
            str(i),
            f"{length:,}",
            str(len(sample.images)),
            sample.id or "-",
            " ".join(sample.texts)[:_TEXT_WIDTH].replace("\n", " "),
        )
        for i, (sample, length) in enumerate(zip(pack.data, pack.lengths, strict=True))
    ]
    title = f"pack {number}: {pack.tokens:,} tokens"
    show_table(title, ("sample", "tokens", "images", "id", "text"), rows)


def show_sample(sample: Sample) -> None:
    """Prints a sample as JSON, with what its images are in place of their base64."""
    images = []
    for index in range(len(sample.images)):
        data = sample.image_bytes(index)
        header = read_header(data)
        size = f"{header.width} x {header.height} pixels"
        images.append(f"{header.format}, {size}, {len(data):,} bytes")
    print_json({**sample.to_dict(with_images=False), "images": images})


def show_histogram(console: Console, title: str, histogram: Histogram) -> None:
    """Prints a histogram as bars."""
    spread = f"{histogram.minimum:,} to {histogram.maximum:,}, median {histogram.median:,g}"
    console.print(f"\n[bold]{title}[/bold]  {spread}")
    tallest = max(1, *histogram.counts)
    for start, stop, count in zip(
        histogram.edges, histogram.edges[1:], histogram.counts, strict=False
    ):
        label = f"{start:,}" if stop == start + 1 else f"{start:,}-{stop - 1:,}"
        bar = "█" * round(_BAR_WIDTH * count / tallest) or ("▏" if count else "")
        console.print(f"  {label:>13} {bar} {count:,}", highlight=False)


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table whose first column is text and whose others are figures."""
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    console = Console()
    console.print()
    console.print(table)


def _plain_table(title: str) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, box=None)
    table.add_column()
    table.add_column(justify="right")
    return table


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.3%}"


def _bytes(count: int) -> str:
    size, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{size:,.1f} {unit}"
