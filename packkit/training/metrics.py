"""What a run says of itself, step by step: metrics.jsonl, TensorBoard, a plot of the loss."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import orjson

from packkit.base.append_log import AppendLog
from packkit.base.errors import FormatError, MissingExtraError
from packkit.base.files import write_atomically


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMetrics:
    """A line of metrics.jsonl: one step of the optimizer, over all ranks.

    Attributes:
        step: Number of the step, from 1.
        epoch: Number of the epoch in which the step began.
        loss: Mean over targets, nats.
        lr: Learning rate.
        grad_norm: Norm of the gradients, before they are clipped.
        tokens: Tokens of samples, without padding.
        targets: Tokens that are trained.
        images: Images.
        efficiency: Tokens / (packs x capacity).
        seconds: Wall time of the step.
        data_seconds: Seconds that ranks waited for data, on average.
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
        folder: Folder of the run.
        step: Step after which the run goes on; lines of later steps, which a stop undid, go.
        tensorboard: Whether to write for TensorBoard too.

    Raises:
        MissingExtraError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path, *, step: int, tensorboard: bool = False) -> None:
        path = folder / "metrics.jsonl"
        kept = [orjson.dumps(line) for line in read_metrics(path) if line["step"] <= step]
        write_atomically(path, b"".join(line + b"\n" for line in kept))
        self._log = _open_log(path)
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
        """Closes what TensorBoard has open."""
        if self._board is not None:
            self._board.close()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Reads metrics.jsonl; a last line that a killed run left half written is left out.

    Raises:
        FormatError: Another line is not the metrics of a step.
    """
    lines = _open_log(path).read()
    for number, line in enumerate(lines, 1):
        if not isinstance(line.get("step"), int):
            raise FormatError(path, f"line {number}: must be an object with a step")
    return lines


def _open_log(path: Path) -> AppendLog:
    return AppendLog(path, ("step",), sync=False)


def plot_loss(metrics: Path, out: Path) -> None:
    """Draws the loss over the steps as PNG.

    Raises:
        MissingExtraError: Matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "train") from error
    steps = read_metrics(metrics)
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="loss, nats a target")
    axes.plot([step["step"] for step in steps], [step["loss"] for step in steps], linewidth=1)
    axes.grid(alpha=0.3)
    figure.savefig(out, dpi=120)
