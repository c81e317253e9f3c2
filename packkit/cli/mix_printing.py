"""What the commands about mixtures show."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from packkit.cli.tables import show_table

if TYPE_CHECKING:
    from packkit.mixture import Count, Lock, LockedSource


def show_lock(lock: Lock, path: Path) -> None:
    """Prints what a mixture takes of each source, and what was left out."""
    rows = [_row(source, lock) for source in lock.sources]
    total = ("total", "", "", "", f"{lock.samples:,}", f"{lock.tokens:,}", "")
    columns = ("source", "read", "left out", "asked", "taken", "tokens", "of tokens")
    show_table(f"{lock.mixture.name}: {path}", columns, [*rows, total])
    losses = [
        (source.name, reason, f"{count:,}")
        for source in lock.sources
        for reason, count in (*source.rejected.items(), *source.dropped.items())
        if count
    ]
    if losses:
        show_table("left out", ("source", "why", "samples"), losses)


def show_shares(shares: Mapping[str, Count], by: str) -> None:
    """Prints samples and tokens of each name, and their shares."""
    samples = sum(count.samples for count in shares.values())
    tokens = sum(count.tokens for count in shares.values())
    rows = [
        (
            name,
            f"{count.samples:,}",
            _share(count.samples, samples),
            f"{count.tokens:,}",
            _share(count.tokens, tokens),
        )
        for name, count in shares.items()
    ]
    show_table("", (by, "samples", "of samples", "tokens", "of tokens"), rows)


def _row(source: LockedSource, lock: Lock) -> tuple[str, ...]:
    return (
        source.name,
        f"{source.read:,}",
        f"{source.read - source.available + sum(source.dropped.values()):,}",
        source.asked,
        f"{source.taken:,}",
        f"{source.tokens:,}",
        _share(source.tokens, lock.tokens),
    )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2%}" if whole else "-"
