"""Recipes: what a run is, as TOML that is checked when it is read."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Unpack

from packkit.base.checked_toml import check_tables, read_tables
from packkit.base.engine import LARGEST_WORKERS
from packkit.base.errors import InputError
from packkit.base.orders import LARGEST_SEED, LARGEST_STEP
from packkit.base.values import LARGEST_COUNT, check_whole
from packkit.loading.cursor import LARGEST_EPOCH
from packkit.loading.options import BadImage, Decoder, LoaderKeywords, LoaderOptions
from packkit.loading.order import Shuffle
from packkit.training.model import ModelConfig
from packkit.training.optimizer import OptimizerConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """The ``[data]`` table of a recipe.

    Attributes:
        packs: A pack set, several, or a mapping from each to its share; see `PackLoader`.
        packs_per_step: Packs of a step of the optimizer, over all ranks.
        micro_packs: Packs that a rank runs at once; the rest of a step is accumulated.
        epochs: How often every pack is taken.
        shuffle: Option of the loader, see `LoaderOptions`.
        decoder: Option of the loader, see `LoaderOptions`.
        on_bad_image: Option of the loader, see `LoaderOptions`.
        balance: Option of the loader, see `LoaderOptions`.
        threads: Option of the loader, see `LoaderOptions`.
    """

    __pydantic_config__ = {"extra": "forbid", "strict": True}  # noqa: RUF012

    packs: str | list[str] | dict[str, float]
    packs_per_step: int
    micro_packs: int = 1
    epochs: int = 1
    shuffle: Shuffle = LoaderOptions.shuffle
    decoder: Decoder = LoaderOptions.decoder
    on_bad_image: BadImage = LoaderOptions.on_bad_image
    balance: bool = LoaderOptions.balance
    threads: int = LoaderOptions.threads

    def loader_options(self, **changes: Unpack[LoaderKeywords]) -> LoaderOptions:
        """Returns the options of the loader that a recipe sets.

        Args:
            changes: Options that the run decides, and not the recipe.
        """
        names = {field.name for field in dataclasses.fields(LoaderOptions)}
        values = {name: getattr(self, name) for name in self.__slots__ if name in names}
        return LoaderOptions(**{**values, **changes})

    def __post_init__(self) -> None:
        check_whole("packs_per_step", self.packs_per_step, 1, LARGEST_STEP)
        check_whole("micro_packs", self.micro_packs, 1, LARGEST_STEP)
        check_whole("epochs", self.epochs, 1, LARGEST_EPOCH)
        check_whole("threads", self.threads, 0, LARGEST_WORKERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """The ``[run]`` table of a recipe.

    Attributes:
        out: Folder of the run: checkpoints, metrics, ledger.
        seed: Seed of new weights and of the order of packs.
        device: ``auto``: a GPU where there is one.
        precision: Number format: ``bf16``, with master weights in float32, or ``fp32``.
        sharding: ``full``: every rank holds a part of weights and optimizer (FSDP2); ``none``:
            every rank holds all of it.
        checkpoint_every: Steps between checkpoints; there is always one at the end.
        keep: Newest checkpoints that are kept.
        tensorboard: Whether metrics are written for TensorBoard too.
    """

    __pydantic_config__ = {"extra": "forbid", "strict": True}  # noqa: RUF012

    out: str
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["bf16", "fp32"] = "bf16"
    sharding: Literal["full", "none"] = "full"
    checkpoint_every: int = 1000
    keep: int = 2
    tensorboard: bool = False

    def __post_init__(self) -> None:
        if not self.out:
            raise InputError("out must name a folder, got ''")
        check_whole("seed", self.seed, 0, LARGEST_SEED)
        check_whole("checkpoint_every", self.checkpoint_every, 1, LARGEST_COUNT)
        check_whole("keep", self.keep, 1, LARGEST_COUNT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All of a run.

    Attributes:
        run: Place, device and checkpoints of the run.
        data: Packs that are trained on, and how they are loaded.
        model: Model that is trained.
        optimizer: Optimizer and its schedule.
    """

    __pydantic_config__ = {"extra": "forbid", "strict": True}  # noqa: RUF012

    run: RunConfig
    data: DataConfig
    model: ModelConfig
    optimizer: OptimizerConfig


def read_recipe(path: str | Path, changes: Sequence[str] = ()) -> Recipe:
    """Reads a recipe.

    Its top-level key ``base`` may name another recipe, beside it, whose keys it takes over where it
    has none of its own.

    Args:
        path: The TOML file.
        changes: Keys to set otherwise, as ``optimizer.lr=3e-5``; what is no TOML value is a string.

    Raises:
        InputError: The file cannot be read, or a key is unknown, missing or not legal.
        MissingExtraError: Pydantic is not installed.
    """
    tables = _read_tables(Path(path))
    for change in changes:
        _set(tables, change)
    return check_tables(Recipe, tables, path, extra="train")


def _read_tables(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Reads a recipe over its base; `seen` are those that led to it."""
    try:
        tables = read_tables(path)
    except InputError as error:
        named = f"{seen[-1]}: base: " if seen else ""
        raise InputError(f"{named}{error}") from error
    base = tables.pop("base", None)
    if base is None:
        return tables
    if not isinstance(base, str):
        raise InputError(f"{path}: base must be the name of another recipe, got {base!r}")
    seen = (*seen, path)
    if (path.parent / base).resolve() in {recipe.resolve() for recipe in seen}:
        raise InputError(f"{path}: base must not lead back to a recipe itself, got {base!r}")
    return _merged(_read_tables(path.parent / base, seen), tables)


def _merged(base: dict[str, Any], recipe: dict[str, Any]) -> dict[str, Any]:
    """Returns the keys of both; tables of a table, such as ``model.language``, are replaced."""
    tables = {key: {**value} if isinstance(value, dict) else value for key, value in base.items()}
    for key, value in recipe.items():
        is_table = isinstance(value, dict) and isinstance(tables.get(key), dict)
        tables[key] = {**tables[key], **value} if is_table else value
    return tables


def _set(tables: dict[str, Any], change: str) -> None:
    """Sets one key, as ``data.epochs=3``."""
    name, equals, text = change.partition("=")
    *path, key = name.strip().split(".")
    if not equals or not path:
        raise InputError(f"a change must be table.key=value, got {change!r}")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except ValueError:
        value = text
    table = tables
    for depth, part in enumerate(path, 1):
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise InputError(f"change {change}: {'.'.join(path[:depth])} is no table")
    table[key] = value
