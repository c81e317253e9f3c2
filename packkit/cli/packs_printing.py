"""What the commands about packs show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from packkit.base.errors import RejectReason
from packkit.cli.console import show_line
from packkit.cli.tables import print_json, show_facts, show_histogram, show_table
from packkit.images import read_header
from packkit.samples import Pack

if TYPE_CHECKING:
    from packkit.ledger import LedgerReport
    from packkit.packing import PackReport
    from packkit.planning.whatif import WhatIf
    from packkit.shards import VerifyReport
    from packkit.shards.stats import SetStats

_TEXT_WIDTH = 60


def show_report(report: PackReport, out: Path) -> None:
    """Prints the figures of a packing run."""
    if report.was_complete:
        show_line(f"already complete: {out} holds the packs of this job; nothing was written")
    if report.redone:
        kept = f"{len(report.redone)} kept results were damaged or missing"
        show_line(f"{kept}, and were made again: {', '.join(report.redone)}")
    facts = [
        ("samples read", f"{report.samples_read:,}"),
        ("samples packed", f"{report.samples_packed:,}"),
        ("samples rejected", f"{report.samples_rejected:,}"),
        *((f"  {reason}", f"{count:,}") for reason, count in report.rejects.items()),
    ]
    if report.unread_bytes:
        facts.append(("input bytes unread", f"{report.unread_bytes:,}"))
    if report.duplicate_ids:
        facts.append(("duplicate ids", f"{report.duplicate_ids:,}"))
    facts += [
        ("images", f"{report.images:,}"),
        ("tokens", f"{report.tokens:,}"),
        ("packs", f"{report.packs:,}"),
        ("efficiency", f"{report.efficiency:.2%}"),
        ("lower bound", f"{report.lower_bound:,}"),
        ("gap", f"{report.gap:.3%}"),
    ]
    if report.fill_packs is not None and report.fill_packs < report.packs:
        saved = report.packs - report.fill_packs
        facts.append(("packs that --algorithm fill would save", f"{saved:,}"))
    facts += [
        ("shards", f"{report.shards:,}"),
        ("size", _bytes(report.bytes)),
        ("seconds", f"{report.seconds:,.1f}"),
    ]
    show_facts(f"packed into {out}", facts)
    if report.samples_rejected:
        _show_rejects(report.sources)
        for reason, example in _examples(out / "rejects.jsonl", set(report.rejects)).items():
            show_line(f"{reason}, for example {example}")


def _show_rejects(sources: Sequence[Mapping[str, Any]]) -> None:
    """Prints which sources have rejects, and how many of those miss an image."""
    rows = [
        (
            source["name"],
            *(f"{source[count]:,}" for count in ("read", "packed", "rejected")),
            f"{source['rejects'].get(RejectReason.MISSING_IMAGE, 0):,}",
        )
        for source in sources
        if source["rejected"]
    ]
    columns = ("source", "read", "packed", "rejected", "missing images")
    show_table("sources with rejects", columns, rows)


def _examples(path: Path, reasons: set[str]) -> dict[str, str]:
    """Returns place and detail of the first reject of each reason."""
    examples: dict[str, str] = {}
    with open(path, "rb") as lines:
        for line in lines:
            reject = orjson.loads(line)
            place = f"{reject['source']}, record {reject['position']}"
            examples.setdefault(reject["reason"], f"{place}: {reject['detail']}")
            if examples.keys() >= reasons:
                break
    return examples


def show_stats(stats: SetStats, name: str) -> None:
    """Prints counts, histograms and the mixture of a pack set."""
    facts = (
        ("packs", f"{stats.packs:,}"),
        ("samples", f"{stats.samples:,}"),
        ("images", f"{stats.images:,}"),
        ("tokens", f"{stats.tokens:,}"),
        ("size", _bytes(stats.bytes)),
        ("capacity", f"{stats.capacity:,}"),
        ("efficiency", f"{stats.efficiency:.2%}"),
        ("lower bound", f"{stats.lower_bound:,}"),
        ("gap", f"{stats.gap:.3%}"),
        ("single-group packs", f"{stats.single_group_packs:.1%}"),
    )
    show_facts(name, facts)
    show_histogram("length of samples, tokens", stats.lengths)
    show_histogram("samples per pack", stats.samples_per_pack)
    show_histogram("images per pack", stats.images_per_pack)
    rows = [
        (
            group.name,
            f"{group.samples:,}",
            f"{group.tokens:,}",
            f"{group.share:.2%}",
            _percent(group.noise),
            _percent(group.independent_noise),
        )
        for group in stats.groups
    ]
    title = f"groups; noise of their share from step to step, {stats.packs_per_step} packs a step"
    show_table(title, ("group", "samples", "tokens", "share", "noise", "if independent"), rows)


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
        show_line(problem)
    encoded = f", {report.encoded:,} lengths counted again" if report.encoded else ""
    verdict = f"{len(report.problems):,} problems" if report.problems else "sound"
    show_line(
        f"{verdict}: {report.packs:,} packs, {report.samples:,} samples, "
        f"{report.images:,} images, {_bytes(report.bytes)}{encoded}"
    )


def show_ledger(report: LedgerReport) -> None:
    """Prints what training consumed, epoch by epoch, and every problem."""
    rows = [
        (
            f"{epoch.epoch}" if epoch.finished else f"{epoch.epoch} (under way)",
            *map("{:,}".format, (epoch.steps, epoch.packs, epoch.repeated, epoch.missing)),
            *map("{:,}".format, (epoch.dropped, epoch.fillers, epoch.masked)),
        )
        for epoch in report.epochs
    ]
    columns = ("epoch", "steps", "packs", "repeated", "missing", "dropped", "fillers", "masked")
    show_table(f"{report.runs:,} runs, {report.steps:,} steps", columns, rows)
    for problem in report.problems:
        show_line(problem)
    if report.open_steps:
        show_line(f"{report.open_steps:,} steps at the end that not all ranks noted")
    verdict = (
        f"{len(report.problems):,} problems" if report.problems else "every pack once an epoch"
    )
    show_line(verdict)


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
    show_table(title, ("sample", "tokens", "images", "id", "text"), rows, texts=(3, 4))


def show_sample(pack: Pack, number: int) -> None:
    """Prints a sample of a pack as JSON, with what its images are in place of their base64.

    Raises:
        IndexError: There is no such sample.
    """
    if not 0 <= number < len(pack.data):
        raise IndexError(f"sample must be in 0..{len(pack.data) - 1}, got {number}")
    sample = pack.data[number]
    images = []
    for index in range(len(sample.images)):
        data = sample.image_bytes(index)
        header = read_header(data)
        size = f"{header.width} x {header.height} pixels"
        images.append(f"{header.format}, {size}, {len(data):,} bytes")
    print_json({**sample.to_dict(with_images=False), "images": images})


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.3%}"


def _bytes(count: int) -> str:
    size, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{size:,.1f} {unit}"
