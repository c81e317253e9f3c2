"""The commands about mixtures: resolve one, build it, show it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from packkit.base.errors import RejectRateError
from packkit.cli.app import PACKS_PANEL, JsonOption

mix_app = typer.Typer(
    help="Mix exact amounts of many sources, locked before they are packed.",
    no_args_is_help=True,
)

LockFile = Annotated[Path, typer.Argument(metavar="LOCK", help="What mix resolve wrote.")]
Data = Annotated[
    Path, typer.Option(help="Folder that the mixture's paths are relative to.", file_okay=False)
]

LockTokenizerOption = Annotated[
    str | None, typer.Option(help="Tokenizer in place of the mixture's: tokenizer.json or hub id.")
]


@mix_app.command("resolve")
def resolve_command(
    mixture: Annotated[Path, typer.Argument(help="TOML file: sources and how much of each.")],
    lock: Annotated[Path, typer.Option(help="Lock to write.")],
    data: Data = Path("."),
    tokenizer: LockTokenizerOption = None,
    json: JsonOption = False,
) -> None:
    """Look at every sample, choose, and write what exactly is taken."""
    from packkit.base.files import check_writable
    from packkit.cli.mix_printing import show_lock
    from packkit.cli.progress import progress
    from packkit.cli.tables import print_json
    from packkit.mixture import Lock, read_mixture, resolve_mixture

    check_writable(lock)
    asked = read_mixture(mixture)
    encoder = None if tokenizer is None else asked.encoder(tokenizer)
    failure = None
    with progress() as on_progress:
        try:
            resolve_mixture(asked, lock, data=data, encoder=encoder, on_progress=on_progress)
        except RejectRateError as error:
            # The lock is written all the same, and its figures say how much was lost.
            failure = error
    locked = Lock.read(lock)
    print_json(locked.to_dict()) if json else show_lock(locked, lock)
    if failure is not None:
        raise failure


@mix_app.command("build")
def build_command(
    lock: LockFile,
    out: Annotated[Path, typer.Option(help="Folder of the pack set.")],
    data: Data = Path("."),
    tokenizer: LockTokenizerOption = None,
    workers: Annotated[int | None, typer.Option(help="Threads (default: processors).")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the pack set in the folder.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Pack exactly the samples that a lock states."""
    from packkit.cli.packs_printing import show_report
    from packkit.cli.progress import progress
    from packkit.cli.tables import print_json
    from packkit.mixture import Lock, build_mixture

    locked = Lock.read(lock)
    with progress() as on_progress:
        report = build_mixture(
            locked,
            out,
            data=data,
            encoder=None if tokenizer is None else locked.mixture.encoder(tokenizer),
            workers=workers,
            overwrite=overwrite,
            on_progress=on_progress,
        )
    print_json(report.to_dict()) if json else show_report(report, out)


@mix_app.command("show")
def show_lock_command(
    lock: LockFile,
    by: Annotated[
        Literal["source", "modality"], typer.Option(help="Names that shares are shown by.")
    ] = "source",
    png: Annotated[Path | None, typer.Option(help="Picture of the shares to write.")] = None,
    json: JsonOption = False,
) -> None:
    """Show what a lock takes, by source or by modality."""
    from packkit.cli.mix_printing import show_lock, show_shares
    from packkit.cli.tables import print_json
    from packkit.mixture import Lock
    from packkit.mixture.figure import plot_shares

    locked = Lock.read(lock)
    shares = locked.modalities if by == "modality" else locked.by_source
    if png is not None:
        plot_shares(shares, png, f"{locked.mixture.name}: {locked.samples:,} samples by {by}")
    if json:
        print_json({by: {name: count._asdict() for name, count in shares.items()}})
    elif by == "source":
        show_lock(locked, lock)
    else:
        show_shares(shares, by)


def register_mix(app: typer.Typer) -> None:
    """Adds the group of commands about mixtures."""
    app.add_typer(mix_app, name="mix", rich_help_panel=PACKS_PANEL)
