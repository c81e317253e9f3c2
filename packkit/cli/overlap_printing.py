"""What ``packkit overlap`` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packkit.cli.tables import show_facts, show_table

if TYPE_CHECKING:
    from packkit.overlap import Hit, OverlapReport, Place

_SHOWN = 20


def show_overlap(report: OverlapReport) -> None:
    """Prints what two sets share, and the first hits."""
    unreadable = (
        ("training", report.train_unreadable),
        ("evaluation", report.eval_unreadable),
    )
    counts = [
        ("samples of training", report.train_samples),
        ("samples of evaluation", report.eval_samples),
        *(
            (f"unreadable in {side}: {reason}", count)
            for side, reasons in unreadable
            for reason, count in reasons.items()
        ),
        ("images of evaluation", report.eval_images),
        ("of them in training", report.leaked_images),
        ("with the same question", report.leaked_pairs),
        ("samples of training with a question of evaluation", report.same_questions),
    ]
    title = "training data against evaluation set"
    show_facts(title, [(label, f"{count:,}") for label, count in counts])
    if report.hits:
        rows = [_row(hit) for hit in report.hits[:_SHOWN]]
        title = f"the first {len(rows)} of {len(report.hits):,} hits"
        columns = ("training", "evaluation", "same", "bits", "correlation")
        show_table(title, columns, rows, texts=(0, 1, 2))


def _row(hit: Hit) -> tuple[str, ...]:
    same = "file" if hit.is_exact else "look"
    same += " + question" if hit.kind == "image+question" else ""
    return (_place(hit.train), _place(hit.eval), same, f"{hit.distance}", f"{hit.correlation:.3f}")


def _place(place: Place) -> str:
    return f"{place.source}:{place.position}:{place.image}"
