"""Checkpoints: whole or not there, from any number of ranks to any other.

A checkpoint is a folder ``step-00000100``::

    state/         weights, optimizer, random generators (torch.distributed.checkpoint)
    config.json    the model's config, as transformers reads it
    encoder/       tokenizer.json and encoder.json of the packs
    run.json       step, state of the loader, the recipe
"""

from __future__ import annotations

import dataclasses
import re
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.state_dict import (
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from transformers import LlavaConfig, LlavaForConditionalGeneration
from transformers.initialization import no_init_weights

from packkit.base.errors import CheckpointError, FormatError
from packkit.base.files import sync_folder, write_atomically
from packkit.encoding import SampleEncoder
from packkit.training.parallel import Ranks

CHECKPOINT_VERSION = 1

_NAME = re.compile(r"step-(\d{8,})")


@dataclass(frozen=True, slots=True)
class CheckpointInfo:
    """Content of a checkpoint besides its tensors.

    Attributes:
        step: Number of steps made.
        loader: State of the loader, as its `state_dict` gives it.
        recipe: Recipe of the run, as JSON values.
    """

    step: int
    loader: dict[str, Any]
    recipe: dict[str, Any]

    @property
    def image_tokens(self) -> int:
        """Number of tokens that an image takes."""
        tokens: int = self.recipe["model"]["image_tokens"]
        return tokens


def checkpoint_name(step: int) -> str:
    """Returns the name of the folder of a checkpoint."""
    return f"step-{step:08}"


def newest_checkpoint(folder: Path) -> Path | None:
    """Returns the checkpoint with most steps in a folder of them."""
    return next(reversed(_checkpoints(folder)), None)


def find_checkpoint(path: Path) -> Path | None:
    """Returns the checkpoint that a path means: itself, or the newest of a run."""
    if (path / "run.json").is_file() and (path / "state").is_dir():
        return path
    return newest_checkpoint(path / "checkpoints")


def save_checkpoint(
    folder: Path,
    info: CheckpointInfo,
    *,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    config: LlavaConfig,
    encoder: SampleEncoder,
    ranks: Ranks,
    keep: int,
) -> Path:
    """Saves a checkpoint from all ranks; it has its name once all of it is on disk.

    Args:
        folder: Folder that holds the checkpoints.
        info: Content besides the tensors.
        model: Model to save, sharded or not.
        optimizer: Optimizer of the model, whose moments are saved.
        config: Config of the model, as transformers reads it.
        encoder: Encoder of the packs.
        ranks: Processes of the run, which all must call this.
        keep: Number of the newest checkpoints that are kept.

    Raises:
        CheckpointError: The checkpoint cannot be written; those before it are as they were.
    """
    path = folder / checkpoint_name(info.step)
    temporary = folder / f".{path.name}.tmp"
    with _removed_if_broken(temporary, path, ranks):
        if ranks.is_first:
            for stale in folder.glob(".step-*.tmp"):
                shutil.rmtree(stale)
            temporary.mkdir(parents=True)
        ranks.wait()
        state = _state(model, optimizer) | {f"rng-{ranks.rank}": _generators(ranks.device)}
        with _quiet():
            save(state, checkpoint_id=temporary / "state")
        if ranks.is_first:
            write_atomically(temporary / "config.json", config.to_json_string().encode())
            encoder.save(temporary / "encoder")
            write_atomically(temporary / "run.json", _dump(info))
            if path.exists():
                shutil.rmtree(path)
            temporary.rename(path)
            sync_folder(folder)
    if ranks.is_first:
        for old in _checkpoints(folder)[:-keep]:
            shutil.rmtree(old)
    ranks.wait()
    return path


def load_checkpoint(
    path: Path, *, model: nn.Module, optimizer: torch.optim.Optimizer, ranks: Ranks
) -> CheckpointInfo:
    """Loads weights, optimizer and this rank's random generators, in place.

    The moments of the optimizer are loaded; its options stay those of the current recipe.

    Raises:
        CheckpointError: The checkpoint cannot be read, or is of another model.
    """
    info = read_info(path)
    options = [{**group, "params": None} for group in optimizer.param_groups]
    state = _state(model, optimizer)
    # A rank that was not there when it was saved keeps the generators it has.
    generators = f"rng-{ranks.rank}"
    with _readable(path):
        saved = FileSystemReader(path / "state").read_metadata().state_dict_metadata
        if any(name.startswith(f"{generators}.") for name in saved):
            state[generators] = _generators(ranks.device)
        load(state, checkpoint_id=path / "state")
    set_optimizer_state_dict(model, optimizer, state["optimizer"])
    for group, current in zip(optimizer.param_groups, options, strict=True):
        group.update({**current, "params": group["params"]})
    _set_generators(state.get(generators, {}))
    return info


def read_weights(path: Path) -> LlavaForConditionalGeneration:
    """Reads the model of a checkpoint, in this process alone, in float32.

    Raises:
        CheckpointError: The checkpoint cannot be read.
    """
    try:
        config = LlavaConfig.from_json_file(path / "config.json")
    except (OSError, ValueError) as error:
        raise CheckpointError(path, f"cannot read config.json: {error}") from error
    with no_init_weights():
        llava = LlavaForConditionalGeneration(config)
    llava.tie_weights()
    state = {"model": _weights(llava, prefix="llava.")}
    with _readable(path):
        load(state, checkpoint_id=path / "state", no_dist=True)
    return llava


def read_info(path: Path) -> CheckpointInfo:
    """Reads the run.json of a checkpoint.

    Raises:
        FormatError: The run.json cannot be read, or is of another version.
    """
    place = path / "run.json"
    try:
        saved = orjson.loads(place.read_bytes())
        if saved["format_version"] != CHECKPOINT_VERSION:
            raise FormatError(
                place, f"format_version must be {CHECKPOINT_VERSION}, got {saved['format_version']}"
            )
        return CheckpointInfo(saved["step"], saved["loader"], saved["recipe"])
    except OSError as error:
        raise FormatError(place, f"cannot read it: {error.strerror}") from error
    except (KeyError, TypeError, orjson.JSONDecodeError) as error:
        raise FormatError(
            place, f"must hold what a checkpoint says of itself: {error!r}"
        ) from error


def _dump(info: CheckpointInfo) -> bytes:
    fields = {"format_version": CHECKPOINT_VERSION, **dataclasses.asdict(info)}
    return orjson.dumps(fields, option=orjson.OPT_INDENT_2)


def _checkpoints(folder: Path) -> list[Path]:
    """Returns the checkpoints in a folder, the newest last."""
    names = ((path, _NAME.fullmatch(path.name)) for path in folder.glob("step-*"))
    steps = {path: int(match[1]) for path, match in names if match}
    return sorted(steps, key=steps.__getitem__)


def _state(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    return {"model": _weights(model), "optimizer": get_optimizer_state_dict(model, optimizer)}


def _weights(model: nn.Module, prefix: str = "") -> dict[str, Tensor]:
    """Returns every weight once, also where two names share it."""
    return {prefix + name: weight for name, weight in model.named_parameters()}


def _generators(device: torch.device) -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def _set_generators(states: dict[str, Tensor]) -> None:
    if "cpu" in states:
        torch.set_rng_state(states["cpu"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"])


@contextmanager
def _removed_if_broken(temporary: Path, path: Path, ranks: Ranks) -> Iterator[None]:
    try:
        yield
    except (OSError, CheckpointException) as error:
        if ranks.is_first:
            shutil.rmtree(temporary, ignore_errors=True)
        raise CheckpointError(path, f"cannot save it: {_cause(error)}") from error


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        with _quiet():
            yield
    except (OSError, CheckpointException) as error:
        raise CheckpointError(path, f"cannot load it: {_cause(error)}") from error


def _cause(error: BaseException) -> str:
    """Returns the reason of a failure, the first that torch gathered from the ranks."""
    failures = getattr(error, "failures", None)
    return str(next(iter(failures.values()))[0]) if failures else str(error)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hides warnings about torch's internals that a single process gets."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="torch.distributed")
        warnings.filterwarnings("ignore", category=FutureWarning, module="torch.distributed")
        yield
