"""Where a run starts: at its beginning, or at a checkpoint, and what its recipe changes there."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import orjson

from packkit.base.append_log import AppendLog
from packkit.base.errors import InputError, OutputExistsError
from packkit.training.checkpoint_run import read_run
from packkit.training.checkpoints import find_checkpoint
from packkit.training.recipe import Recipe

CHANGES = "changes.jsonl"
"""Name of the file of a run that keeps what its recipe changed at which step."""

# What the weights or the order of packs were made with: keys, or tables whose every key is meant.
_FIXED = (
    "run.seed",
    "data.decoder",
    "data.shuffle",
    "model.image_tokens",
    "model.language",
    "model.vision",
)
# Where a run goes on that is resumed from the checkpoint of another.
_UNTOLD = {"run.out"}


class KeyChange(NamedTuple):
    """A key of a recipe whose value is another than the checkpoint was made with.

    Attributes:
        key: Name of the key, as ``optimizer.lr``.
        before: Value in the recipe of the checkpoint; None where it has none.
        after: Value in the recipe of now; None where it has none.
    """

    key: str
    before: Any
    after: Any

    def __str__(self) -> str:
        before, after = ("not set" if value is None else value for value in self[1:])
        return f"{self.key}: {before} -> {after}"


class Resumption(NamedTuple):
    """A run that goes on from a checkpoint.

    Attributes:
        checkpoint: Folder of the checkpoint.
        step: Number of steps made.
        steps: Number of steps of the whole run; equal to `step` where nothing is left to do.
        changes: Keys of the recipe whose values are others than before.
    """

    checkpoint: Path
    step: int
    steps: int
    changes: list[KeyChange]

    @property
    def is_finished(self) -> bool:
        """Whether all steps are made."""
        return self.step >= self.steps


def starting_point(out: Path, resume: str | Path) -> Path | None:
    """Returns the checkpoint to start from; None for the beginning.

    Args:
        out: Folder of the run.
        resume: ``auto``, ``never``, or a path of a checkpoint or run.

    Raises:
        InputError: A path holds no checkpoint.
        OutputExistsError: The run has checkpoints that would be lost.
    """
    newest = find_checkpoint(out)
    if resume == "auto":
        return newest
    if resume == "never":
        if newest is not None:
            raise OutputExistsError(
                newest, "the run has checkpoints; resume it, or name another out"
            )
        return None
    named = find_checkpoint(Path(resume))
    if named is None:
        raise InputError(f"resume must be auto, never or a checkpoint, got {resume}")
    step = read_run(named)[0].step
    if newest is not None and read_run(newest)[0].step > step:
        # They would be kept in place of those that the run makes now.
        detail = f"is of a later step than {step}, which is resumed"
        raise OutputExistsError(newest, f"{detail}; move it away, or name another out")
    return named


def changes_since(checkpoint: Path, recipe: Recipe) -> list[KeyChange]:
    """Returns the keys of a recipe whose values are others than a checkpoint was made with.

    A key that is younger than the checkpoint had its default there.

    Raises:
        InputError: A key differs that cannot change within a run.
    """
    before = _flat(read_run(checkpoint)[0].recipe)
    after = _flat(orjson.loads(orjson.dumps(dataclasses.asdict(recipe))))
    before = {**_flat(_defaults()), **before}
    changes = [
        KeyChange(key, before.get(key), after.get(key))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key) and key not in _UNTOLD
    ]
    if fixed := [change for change in changes if _is_fixed(change)]:
        named = ", ".join(map(str, fixed))
        raise InputError(
            f"{checkpoint}: cannot go on with another {named}; set it back, or start a new run"
        )
    return changes


def keep_changes(out: Path, step: int, changes: list[KeyChange]) -> None:
    """Notes in a run what its recipe changes at a step."""
    if changes:
        log = AppendLog(out / CHANGES, ("step",))
        log.append(*({"step": step, **change._asdict()} for change in changes))


def _is_fixed(change: KeyChange) -> bool:
    # A folder or hub id can name the same model by another path: its tensors tell.
    if isinstance(change.before, str) and isinstance(change.after, str):
        return change.key in _FIXED and not change.key.startswith("model.")
    return any(change.key == key or change.key.startswith(f"{key}.") for key in _FIXED)


def _flat(tables: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns the values of nested tables by the whole names of their keys."""
    values: dict[str, Any] = {}
    for key, value in tables.items():
        if isinstance(value, Mapping):
            values |= _flat(value, f"{prefix}{key}.")
        elif value is not None:
            values[f"{prefix}{key}"] = value
    return values


def _defaults() -> dict[str, dict[str, Any]]:
    """Returns the keys of a recipe that have a default, by table."""
    return {
        table: {
            field.name: list(field.default) if isinstance(field.default, tuple) else field.default
            for field in dataclasses.fields(config)
            if field.default is not dataclasses.MISSING
        }
        for table, config in get_type_hints(Recipe).items()
        if dataclasses.is_dataclass(config)
    }
