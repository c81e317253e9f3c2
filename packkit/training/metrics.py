"""Metrics of a training run, step by step: metrics.jsonl, TensorBoard, a plot of the loss."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from packkit.base.append_log import AppendLog, log_line, read_log
from packkit.base.errors import FormatError, MissingExtraError
from packkit.base.files import names_in_errors, write_atomically

_FIRST_FIELDS = ("step",)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMetrics:
    """One line of metrics.jsonl: a step of the optimizer, over all ranks.

    Attributes:
        step: Number of the step, from 1.
        epoch: Epoch in which the step began.
        loss: Mean loss over the targets, nats.
        lr: Learning rate.
        grad_norm: Norm of all gradients before they are clipped.
        tokens: Tokens of samples, without padding.
        targets: Tokens that the loss is taken of.
        images: Number of images.
        efficiency: Tokens / (packs x capacity), in [0, 1].
        seconds: Wall time of the step.
        data_seconds: Seconds of the step that a rank waited for data, mean over the ranks.
        tokens_per_second: Tokens / seconds.
        targets_per_second: Targets / seconds.
        images_per_second: Images / seconds.
        mfu: Share of the GPUs' peak that the model's arithmetic is, or None where that is unknown.
    """

    step: int
    epoch: int
    loss: float
    lr: float
    grad_norm: float
    tokens: int
    targets: int
    images: int
    efficiency: float
    seconds: float
    data_seconds: float
    tokens_per_second: float
    targets_per_second: float
    images_per_second: float
    mfu: float | None


class MetricsLog:
    """Writes metrics.jsonl, and the same for TensorBoard where it is asked for.

    Args:
        folder: Folder of the run; made where it is missing.
        step: Last step that counts, or 0; lines of later steps, which a stop undid, are dropped.
        tensorboard: Whether to write the folder ``tensorboard`` too.

    Raises:
        FormatError: The folder's metrics.jsonl holds something else than metrics of steps.
        MissingExtraError: The package tensorboard is not installed.
    """

    def __init__(self, folder: Path, *, step: int, tensorboard: bool = False) -> None:
        path = folder / "metrics.jsonl"
        kept = [line for line in read_metrics(path) if line["step"] <= step]
        write_atomically(path, b"".join(map(log_line, kept)))
        self._log = AppendLog(path, _FIRST_FIELDS)
        self._board: Any = None
        if tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as error:
                raise MissingExtraError("tensorboard", "tensorboard") from error
            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def write(self, metrics: StepMetrics) -> None:
        """Appends a step."""
        fields = dataclasses.asdict(metrics)
        self._log.append(fields)
        if self._board is not None:
            for name, value in fields.items():
                if value is not None and name != "step":
                    self._board.add_scalar(name, value, metrics.step)

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the event file of TensorBoard."""
        if self._board is not None:
            self._board.close()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Reads metrics.jsonl; a last line that a killed run left half written is left out.

    Args:
        path: File to read; where it is missing, no step was made.

    Raises:
        FormatError: A line is not the metrics of a step.
    """
    if not path.exists():
        return []
    steps = []
    for number, metrics in read_log(path, _FIRST_FIELDS):
        if not isinstance(metrics.get("step"), int):
            raise FormatError(f"{path}: line {number}", "must be an object with a step")
        steps.append(metrics)
    return steps


def plot_loss(metrics: Path, out: Path) -> None:
    """Draws the loss over the steps.

    Args:
        metrics: The metrics.jsonl to read.
        out: PNG to write.

    Raises:
        FormatError: The file holds something else than metrics of steps.
        MissingExtraError: The package matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "train") from error
    steps = read_metrics(metrics)
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="loss, nats a target")
    axes.plot([line["step"] for line in steps], [line["loss"] for line in steps], linewidth=1)
    axes.grid(alpha=0.3)
    with names_in_errors(out):
        figure.savefig(out, dpi=120)
