"""The commands about models: train one, ask it, export it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from packkit.cli.app import TRAINING_PANEL, NewTokensOption

if TYPE_CHECKING:
    from packkit.training.resume import Resumption

_MODES = ("auto", "never")


def train_command(
    recipe: Annotated[Path, typer.Argument(help="TOML file: run, data, model, optimizer.")],
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Another value, as optimizer.lr=3e-5."),
    ] = None,
    resume: Annotated[
        str,
        typer.Option(
            metavar="auto|never|PATH",
            help="From the run's newest checkpoint if it has one; from the start; from PATH.",
        ),
    ] = "auto",
) -> None:
    """Train a vision-language model on packs; under torchrun, on all its processes."""
    from packkit.cli.console import show_line
    from packkit.cli.progress import training_progress
    from packkit.training import read_recipe, train

    start = cast("Literal['auto', 'never']", resume) if resume in _MODES else Path(resume)
    with training_progress() as on_step:
        checkpoint = train(
            read_recipe(recipe, changes or ()),
            resume=start,
            on_step=on_step,
            on_resume=_show_resumption,
        )
    # Under torchrun every process comes here.
    if os.environ.get("RANK", "0") == "0":
        show_line(str(checkpoint))


def _show_resumption(resumption: Resumption) -> None:
    from packkit.cli.console import show_notice

    _, step, steps, changes = resumption
    if resumption.is_finished:
        show_notice(
            f"{resumption.checkpoint}: nothing is left to do, {step} of {steps} steps are made; "
            "raise data.epochs to go on"
        )
        return
    show_notice(f"goes on from {resumption.checkpoint}, at step {step} of {steps}")
    for change in changes:
        show_notice(f"changed: {change}")


def generate_command(
    model: Annotated[Path, typer.Argument(help="Run, checkpoint, or exported folder.")],
    image: Annotated[
        list[Path] | None, typer.Option(help="Image file; may be given several times.")
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(help="What the user asks; without it, a caption is written.")
    ] = None,
    max_new_tokens: NewTokensOption = 512,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="Device that it runs on.")
    ] = "auto",
) -> None:
    """Write what a trained model says of images; greedy, so always the same."""
    from packkit.cli.console import show_text
    from packkit.training.generation import Generator

    if not image and prompt is None:
        raise typer.BadParameter("name an --image, a --prompt, or both")
    images = [path.read_bytes() for path in image or ()]
    generator = Generator.load(model, device=device)
    show_text(generator.generate(prompt, images, max_new_tokens=max_new_tokens))


def export_command(
    run: Annotated[Path, typer.Argument(help="Run, whose newest checkpoint is taken, or one.")],
    out: Annotated[Path, typer.Argument(help="New folder.")],
    precision: Annotated[
        Literal["bf16", "fp32"], typer.Option(help="Type of the weights.")
    ] = "bf16",
) -> None:
    """Write a folder that transformers opens as LLaVA."""
    from packkit.cli.console import show_line
    from packkit.training.export import export

    show_line(str(export(run, out, precision=precision)))


def register_training(app: typer.Typer) -> None:
    """Adds the commands about models."""
    app.command("train", rich_help_panel=TRAINING_PANEL)(train_command)
    app.command("generate", rich_help_panel=TRAINING_PANEL)(generate_command)
    app.command("export", rich_help_panel=TRAINING_PANEL)(export_command)
