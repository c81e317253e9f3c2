"""Checkpoints: whole or not there, from any number of ranks to any other.

A checkpoint is a folder ``step-00000100``::

    state/         weights, optimizer, random generators: safetensors, a file a rank
    config.json    the model's config, as transformers reads it
    encoder/       tokenizer.json and encoder.json of the packs
    run.json       step, state of the loader, the recipe, and the checksum of every file

Nothing in it is pickled: reading a checkpoint that somebody else made runs no code of theirs.
"""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import (
    HuggingFaceStorageReader,
    HuggingFaceStorageWriter,
)
from torch.distributed.checkpoint.state_dict import (
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from transformers import LlavaConfig, LlavaForConditionalGeneration
from transformers.initialization import no_init_weights

from packkit.base.errors import CheckpointError
from packkit.base.files import make_folder, sync_folder, write_atomically
from packkit.encoding import SampleEncoder
from packkit.training.checkpoint_run import RUN, CheckpointInfo, check_files, read_run, write_run
from packkit.training.model_folder import check_model_folder
from packkit.training.parallel import Ranks

# What torch, safetensors and transformers raise of files that are not what they should be.
_UNREADABLE = (
    OSError,
    CheckpointException,
    SafetensorError,
    StrictDataclassError,
    KeyError,
    TypeError,
    ValueError,
)

_NAME = re.compile(r"step-(\d{8,})")


def checkpoint_name(step: int) -> str:
    """Returns the name of the folder of a checkpoint."""
    return f"step-{step:08}"


def newest_checkpoint(folder: Path) -> Path | None:
    """Returns the checkpoint with most steps in a folder of them."""
    return next(reversed(_checkpoints(folder)), None)


def find_checkpoint(path: Path) -> Path | None:
    """Returns the checkpoint that a path means: itself, or the newest of a run."""
    if (path / RUN).is_file() and (path / "state").is_dir():
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
            make_folder(temporary)
        ranks.wait()
        state = _state(model, optimizer) | {f"rng-{ranks.rank}": _generators(ranks.device)}
        with _quiet():
            writer = HuggingFaceStorageWriter(str(temporary / "state"), save_distributed=True)
            save(state, storage_writer=writer)
        if ranks.is_first:
            write_atomically(temporary / "config.json", config.to_json_string().encode())
            encoder.save(temporary / "encoder")
            write_run(temporary, info)
            if path.exists():
                _remove(path)
            temporary.rename(path)
            sync_folder(folder)
    if ranks.is_first:
        for old in _checkpoints(folder)[:-keep]:
            _remove(old)
    ranks.wait()
    return path


def load_checkpoint(
    path: Path, *, model: nn.Module, optimizer: torch.optim.Optimizer, ranks: Ranks
) -> CheckpointInfo:
    """Loads weights, optimizer and this rank's random generators, in place.

    The moments of the optimizer are loaded; its options stay those of the current recipe.

    Raises:
        CheckpointError: The checkpoint cannot be read, is damaged, or is of another model.
    """
    info, checksums = read_run(path)
    ranks.together(
        lambda: check_files(path, checksums, first=ranks.rank, stride=ranks.world_size),
        CheckpointError(path, "cannot load it: another rank found a damaged file"),
    )
    options = [{**group, "params": None} for group in optimizer.param_groups]
    state = _state(model, optimizer)
    # A rank that was not there when it was saved keeps the generators it has.
    generators = f"rng-{ranks.rank}"
    with _readable(path):
        reader = HuggingFaceStorageReader(str(path / "state"))
        saved = reader.read_metadata().state_dict_metadata
        if any(name.startswith(f"{generators}.") for name in saved):
            state[generators] = _generators(ranks.device)
        load(state, storage_reader=reader)
    groups = get_optimizer_state_dict(model, optimizer)["param_groups"]
    set_optimizer_state_dict(
        model, optimizer, {"state": state["optimizer"], "param_groups": groups}
    )
    for group, current in zip(optimizer.param_groups, options, strict=True):
        group.update({**current, "params": group["params"]})
    _set_generators(state.get(generators, {}))
    return info


def read_weights(path: Path) -> LlavaForConditionalGeneration:
    """Reads the model of a checkpoint, in this process alone, in float32.

    Raises:
        CheckpointError: The checkpoint cannot be read, or its config names code to fetch.
    """
    check_files(path, read_run(path)[1])
    with _readable(path):
        check_model_folder(path)
        config = LlavaConfig.from_json_file(path / "config.json")
    with no_init_weights():
        llava = LlavaForConditionalGeneration(config)
    llava.tie_weights()
    state = {"model": _weights(llava, prefix="llava.")}
    with _readable(path):
        reader = HuggingFaceStorageReader(str(path / "state"))
        load(state, storage_reader=reader, no_dist=True)
    return llava


def _remove(checkpoint: Path) -> None:
    """Removes a checkpoint; one that is half removed has no name by which it would be found."""
    nameless = checkpoint.with_name(f".{checkpoint.name}.old.tmp")
    checkpoint.rename(nameless)
    shutil.rmtree(nameless)


def _checkpoints(folder: Path) -> list[Path]:
    """Returns the checkpoints in a folder, the newest last."""
    names = ((path, _NAME.fullmatch(path.name)) for path in folder.glob("step-*"))
    steps = {path: int(match[1]) for path, match in names if match}
    return sorted(steps, key=steps.__getitem__)


def _state(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    moments = get_optimizer_state_dict(model, optimizer)["state"]
    return {"model": _weights(model), "optimizer": moments}


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
        cause = _cause(error)
        if isinstance(cause, OSError) and cause.filename is None:
            cause.filename = str(path)
        raise CheckpointError(path, f"cannot save it: {cause}") from cause


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        with _quiet():
            yield
    except _UNREADABLE as error:
        raise CheckpointError(path, f"cannot load it: {_cause(error)}") from error


def _cause(error: BaseException) -> BaseException:
    """Returns the reason of a failure, the first that torch gathered from the ranks."""
    failures = getattr(error, "failures", None)
    return next(iter(failures.values()))[0] if failures else error


@contextmanager
def _quiet() -> Iterator[None]:
    """Hides warnings about torch's internals that a single process gets."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="torch.distributed")
        warnings.filterwarnings("ignore", category=FutureWarning, module="torch.distributed")
        yield
