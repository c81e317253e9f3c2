"""The commands about packs: make them, look at them, check them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from packkit.base import pack_options as default
from packkit.base.pack_options import Algorithm, Overlong, Storage, TemplateName
from packkit.cli.amounts import parse_bytes, parse_capacities, parse_tokens
from packkit.cli.app import (
    PACKS_PANEL,
    ColumnsOption,
    DataRootOption,
    IgnoreOption,
    ImageSuffixOption,
    JsonOption,
    LayoutOption,
    parse_columns,
)
from packkit.images.headers import MAX_PIXELS

if TYPE_CHECKING:
    from io import BufferedIOBase

    from packkit.encoding import SampleEncoder

Packs = Annotated[Path, typer.Argument(help="Pack set, .jsonl of packs, or Open-Qwen2VL folder.")]
TokenizerOption = Annotated[
    str | None, typer.Option(help="For packs that hold no encoder: tokenizer.json or hub id.")
]


def pack_command(
    inputs: Annotated[
        list[str] | None, typer.Argument(help="Files, folders or globs; without any, stdin.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the pack set.")] = Path("packs"),
    max_len: Annotated[
        int,
        typer.Option(
            parser=parse_tokens,
            metavar="TOKENS",
            help="Capacity of a pack: 4096, 4k (k = 1024).",
        ),
    ] = default.MAX_LEN,
    tokenizer: Annotated[
        str, typer.Option(help="tokenizer.json, a folder that holds one, or a hub id.")
    ] = default.TOKENIZER,
    image_tokens: Annotated[
        str, typer.Option(help="Tokens an image takes: a number or fixed:N.")
    ] = str(default.IMAGE_TOKENS),
    template: Annotated[
        TemplateName, typer.Option(help="How turns become text.")
    ] = default.TEMPLATE,
    layout: LayoutOption = "auto",
    columns: ColumnsOption = "",
    data_root: DataRootOption = None,
    image_suffix: ImageSuffixOption = "",
    ignore: IgnoreOption = None,
    storage: Annotated[
        Storage, typer.Option(help="Shards of packs, or one JSON file a pack.")
    ] = default.STORAGE,
    shard_size: Annotated[
        int,
        typer.Option(
            parser=parse_bytes,
            metavar="BYTES",
            show_default=f"{default.SHARD_SIZE >> 20}MiB",
            help="Size at which a shard is closed: 256MiB, 500MB (Mi = 1024 Ki, M = 1000 k).",
        ),
    ] = default.SHARD_SIZE,
    algorithm: Annotated[
        Algorithm,
        typer.Option(help="First-Fit-Decreasing, exact filling, or the fewer packs of both."),
    ] = default.ALGORITHM,
    max_images: Annotated[int | None, typer.Option(help="Images a pack may hold.")] = None,
    max_samples: Annotated[int | None, typer.Option(help="Samples a pack may hold.")] = None,
    overlong: Annotated[
        Overlong,
        typer.Option(help="What happens to a sample longer than --max-len."),
    ] = default.OVERLONG,
    seed: Annotated[int, typer.Option(help="Seed of which samples meet, and of their order.")] = 0,
    workers: Annotated[int | None, typer.Option(help="Threads (default: processors).")] = None,
    max_pixels: Annotated[
        int, typer.Option(help="Largest image accepted, width x height.")
    ] = MAX_PIXELS,
    check_images: Annotated[
        bool, typer.Option("--check-images", help="Decode every image once; reject the broken.")
    ] = False,
    unique_ids: Annotated[
        bool, typer.Option("--unique-ids", help="Reject samples whose id came before.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first sample that would be rejected.")
    ] = False,
    max_reject_rate: Annotated[
        float, typer.Option(help="Share of rejects above which the run fails.")
    ] = default.MAX_REJECT_RATE,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the pack set in the folder.")
    ] = False,
    allow_truncated: Annotated[
        bool,
        typer.Option("--allow-truncated", help="Pack what can be read of a file that is cut off."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Turn image-text data into packs of --max-len tokens."""
    from packkit.base.engine import usable_cpus
    from packkit.cli.packs_printing import show_report
    from packkit.cli.progress import progress
    from packkit.cli.tables import print_json
    from packkit.packing import PackConfig, PackRejectRateError, pack

    if not inputs and sys.stdin.isatty():
        raise typer.BadParameter("name an INPUT, or pipe JSON lines in")
    config = PackConfig(
        max_len=max_len,
        tokenizer=tokenizer,
        image_tokens=image_tokens,
        template=template,
        layout=layout,
        columns=parse_columns(columns),
        data_root=None if data_root is None else str(data_root),
        image_suffix=image_suffix,
        ignore=tuple(ignore or ()),
        storage=storage,
        shard_size=shard_size,
        algorithm=algorithm,
        max_images=max_images,
        max_samples=max_samples,
        overlong=overlong,
        seed=seed,
        workers=usable_cpus() if workers is None else workers,
        max_pixels=max_pixels,
        check_images=check_images,
        unique_ids=unique_ids,
        strict=strict,
        max_reject_rate=max_reject_rate,
        overwrite=overwrite,
        allow_truncated=allow_truncated,
    )
    failure = None
    with progress() as on_progress:
        try:
            report = pack(inputs or _stdin(), out, config, on_progress=on_progress)
        except PackRejectRateError as error:
            # The good data is packed all the same, and its figures say how much was lost.
            failure, report = error, error.report
    print_json(report.to_dict()) if json else show_report(report, out)
    if failure is not None:
        raise failure


def plan_command(
    source: Annotated[
        Path, typer.Argument(metavar="LENGTHS.npy|PACKS", help="Lengths in tokens, or a pack set.")
    ],
    max_len: Annotated[
        str,
        typer.Option(metavar="TOKENS,...", help="Capacities with commas: 2k,4k,8192 (k = 1024)."),
    ] = str(default.MAX_LEN),
    json: JsonOption = False,
) -> None:
    """What other capacities and algorithms would give; no data is moved."""
    from packkit.cli.packs_printing import show_plans
    from packkit.cli.tables import print_json
    from packkit.planning.whatif import what_if
    from packkit.shards.read_lengths import read_lengths

    capacities = parse_capacities(max_len)
    rows = what_if(read_lengths(source), capacities)
    if json:
        print_json({"plans": [row.to_dict() for row in rows]})
    else:
        show_plans(rows, str(source))


def stats_command(
    packs: Packs,
    packs_per_step: Annotated[
        int, typer.Option(help="Global batch for which the noise of sources is measured.")
    ] = 256,
    json: JsonOption = False,
) -> None:
    """Counts, efficiency, histograms, and how evenly sources are mixed."""
    from packkit.cli.packs_printing import show_stats
    from packkit.cli.tables import print_json
    from packkit.shards import PackReader
    from packkit.shards.stats import set_stats

    with PackReader(packs) as reader:
        stats = set_stats(reader, packs_per_step=packs_per_step)
    print_json(stats.to_dict()) if json else show_stats(stats, str(packs))


def verify_command(
    packs: Packs,
    deep: Annotated[
        bool, typer.Option("--deep", help="Encode every sample again and compare its length.")
    ] = False,
    tokenizer: TokenizerOption = None,
    json: JsonOption = False,
) -> None:
    """Check every checksum and count of a pack set."""
    from packkit.cli.packs_printing import show_verification
    from packkit.cli.progress import progress
    from packkit.cli.tables import print_json
    from packkit.shards import verify_packs

    with progress() as on_progress:
        report = verify_packs(
            packs, deep=deep, encoder=_encoder(tokenizer), on_progress=on_progress
        )
    print_json(report.to_dict()) if json else show_verification(report)
    if report.problems:
        raise typer.Exit(1)


def index_command(
    packs: Packs, tokenizer: TokenizerOption = None, json: JsonOption = False
) -> None:
    """Rebuild the sidecars of packs, ours or those that others wrote."""
    from packkit.cli.console import show_line
    from packkit.cli.progress import progress
    from packkit.cli.tables import print_json
    from packkit.shards import rebuild_index

    with progress() as on_progress:
        paths = rebuild_index(packs, encoder=_encoder(tokenizer), on_progress=on_progress)
    written = [str(path) for path in paths]
    if json:
        print_json({"written": written})
    else:
        for path in written:
            show_line(f"wrote {path}")


def show_command(
    packs: Packs,
    number: Annotated[int, typer.Argument(metavar="N", help="Number of the pack.")],
    sample: Annotated[int | None, typer.Option(help="Number of a sample in the pack.")] = None,
    image: Annotated[int | None, typer.Option(help="Number of an image of the sample.")] = None,
    save: Annotated[Path | None, typer.Option(help="File to write the image to.")] = None,
) -> None:
    """Show a pack or one sample of it, or save an image."""
    from packkit.cli.packs_printing import show_pack, show_sample
    from packkit.shards import PackReader

    if (image is None) != (save is None) or (image is not None and sample is None):
        raise typer.BadParameter("--image, --save and --sample go together")
    with PackReader(packs) as reader:
        if image is not None and save is not None and sample is not None:
            save.write_bytes(reader.image(number, sample, image))
        elif sample is not None:
            show_sample(reader[number], sample)
        else:
            show_pack(reader[number], number)


def ledger_command(
    folder: Annotated[Path, typer.Argument(metavar="LEDGER", help="Folder of rank-*.jsonl.")],
    packs: Annotated[
        list[Path], typer.Argument(metavar="PACKS...", help="The loader's packs, in its order.")
    ],
    json: JsonOption = False,
) -> None:
    """Prove that training consumed every pack exactly once per epoch."""
    from packkit.cli.packs_printing import show_ledger
    from packkit.cli.tables import print_json
    from packkit.ledger import check_ledger

    report = check_ledger(folder, packs)
    print_json(report.to_dict()) if json else show_ledger(report)
    if report.problems:
        raise typer.Exit(1)


def _stdin() -> BufferedIOBase:
    return cast("BufferedIOBase", sys.stdin.buffer)


def _encoder(tokenizer: str | None) -> SampleEncoder | None:
    from packkit.encoding import SampleEncoder

    return None if tokenizer is None else SampleEncoder(tokenizer)


def register_packs(app: typer.Typer) -> None:
    """Adds the commands about packs, `pack` first."""
    app.command("pack", rich_help_panel=PACKS_PANEL)(pack_command)
    app.command("plan", rich_help_panel=PACKS_PANEL)(plan_command)
    app.command("stats", rich_help_panel=PACKS_PANEL)(stats_command)
    app.command("verify", rich_help_panel=PACKS_PANEL)(verify_command)
    app.command("index", rich_help_panel=PACKS_PANEL)(index_command)
    app.command("show", rich_help_panel=PACKS_PANEL)(show_command)
    app.command("ledger", rich_help_panel=PACKS_PANEL)(ledger_command)
