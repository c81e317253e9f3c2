"""What ``packkit overlap`` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from packkit.cli.tables import plain_table, show_table

if TYPE_CHECKING:
    from packkit.overlap import Hit, OverlapReport, Place

_SHOWN = 20


def show_overlap(report: OverlapReport) -> None:
    """Prints what two sets share, and the first hits."""
    table = plain_table("training data against evaluation set")
    table.add_row("samples of training", f"{report.train_samples:,}")
    table.add_row("samples of evaluation", f"{report.eval_samples:,}")
    for side, unreadable in (
        ("training", report.train_unreadable),
        ("evaluation", report.eval_unreadable),
    ):
        for reason, count in unreadable.items():
            table.add_row(f"unreadable in {side}: {reason}", f"{count:,}")
    table.add_row("images of evaluation", f"{report.eval_images:,}")
    table.add_row("of them in training", f"{report.leaked_images:,}")
    table.add_row("with the same question", f"{report.leaked_pairs:,}")
    table.add_row("samples of training with a question of evaluation", f"{report.same_questions:,}")
    Console().print(table)
    if report.hits:
        rows = [_row(hit) for hit in report.hits[:_SHOWN]]
        title = f"the first {len(rows)} of {len(report.hits):,} hits"
        show_table(title, ("training", "evaluation", "same", "bits", "correlation"), rows)


def _row(hit: Hit) -> tuple[str, ...]:
    same = "file" if hit.is_exact else "look"
    same += " + question" if hit.kind == "image+question" else ""
    return (_place(hit.train), _place(hit.eval), same, f"{hit.distance}", f"{hit.correlation:.3f}")


def _place(place: Place) -> str:
    return f"{place.source}:{place.position}:{place.image}"
