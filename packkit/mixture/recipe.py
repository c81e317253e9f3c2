"""The recipe of a mixture: TOML that is checked when it is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from packkit.base.checked_toml import check_tables, read_tables
from packkit.base.errors import InputError
from packkit.base.orders import LARGEST_SEED
from packkit.base.pack_options import Algorithm, Overlong
from packkit.base.values import check_number, check_positive, check_whole
from packkit.encoding import SampleEncoder
from packkit.mixture.modalities import known_modalities
from packkit.mixture.quantities import Quantity, Unit, apportion, parse_count
from packkit.mixture.selection import Shortage
from packkit.packing import PackConfig

_STRICT: Any = {"extra": "forbid", "strict": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class PackTable:
    """The ``[pack]`` table: how lengths are counted and packs made; see `PackConfig`."""

    __pydantic_config__ = _STRICT

    max_len: int | None = None
    tokenizer: str | None = None
    image_tokens: int | str | None = None
    template: str | None = None
    overlong: Overlong | None = None
    algorithm: Algorithm | None = None
    max_images: int | None = None
    max_samples: int | None = None
    max_pixels: int | None = None
    shard_size: int | None = None
    allow_truncated: bool | None = None

    @property
    def given(self) -> dict[str, Any]:
        """Options that differ from the default of `PackConfig`."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureSource:
    """One ``[[sources]]`` table.

    At most one of `take`, `repeat`, `tokens` and `weight` says how much is taken; without any of
    them, all is.

    Attributes:
        use: Name of a data set, one of ``packkit catalog`` or any other.
        name: Name of the source in the mixture; by default `use`.
        path: Files, folders or globs, relative to the data folder.
        images: Folder of image paths, relative to the data folder; by default that of each file.
        layout: Layout of the records, or ``auto``.
        columns: Role in the layout -> name of the field.
        image_suffix: Ending of image names that have none.
        ignore: Keys and markers of records that do not matter.
        filters: Filters that decide which samples may be taken; see `make_filters`.
        take: Number of samples to take, as 180000 or ``"180K"``.
        repeat: Number of times the whole source is taken; 1.5 is all of it and half once more.
        tokens: Largest number of tokens to take, as ``"5B"``.
        weight: Share of the mixture's `total` that the source gets.
        shortage: Treatment of a source that has less than is asked for; by default the mixture's.
        modality: Modality of all samples whose own the catalog does not tell.
        max_reject_rate: Share of records that may be rejected, in [0, 1].
    """

    __pydantic_config__ = _STRICT

    use: str
    path: str | list[str]
    name: str = ""
    images: str | None = None
    layout: str = "auto"
    columns: dict[str, str] = field(default_factory=dict)
    image_suffix: str = ""
    ignore: list[str] = field(default_factory=list)
    filters: list[str | dict[str, Any]] = field(default_factory=list)
    take: int | str | None = None
    repeat: float | None = None
    tokens: int | str | None = None
    weight: float | None = None
    shortage: Shortage | None = None
    modality: str | None = None
    max_reject_rate: float = 0.01

    def __post_init__(self) -> None:
        place = f"source {self.label}"
        keys = ("take", "repeat", "tokens", "weight")
        given = [key for key in keys if getattr(self, key) is not None]
        if len(given) > 1:
            raise InputError(f"{place}: only one of {' and '.join(given)} can be given")
        for key in ("repeat", "weight"):
            if (value := getattr(self, key)) is not None:
                check_positive(f"{place}: {key}", value)
        for key in ("take", "tokens"):
            _count(f"{place}: {key}", getattr(self, key))
        check_number(f"{place}: max_reject_rate", self.max_reject_rate, 0, 1)
        if self.modality not in (None, *known_modalities()):
            known = ", ".join(known_modalities())
            raise InputError(f"{place}: modality must be one of {known}, got {self.modality!r}")

    @property
    def label(self) -> str:
        """Name of the source in the mixture."""
        return self.name or self.use

    @property
    def paths(self) -> list[str]:
        """Files, folders or globs that hold the records."""
        return [self.path] if isinstance(self.path, str) else self.path

    @property
    def quantity(self) -> Quantity:
        """Quantity to take, where the source has no weight."""
        if self.take is not None:
            return Quantity("samples", parse_count(self.take))
        if self.tokens is not None:
            return Quantity("tokens", parse_count(self.tokens))
        return Quantity("repeat", 1.0 if self.repeat is None else self.repeat)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """A mixture of sources: the data of one stage of training.

    Attributes:
        version: Version of the notation, 1.
        name: Name of the stage.
        seed: Seed of the choice of samples and of the order of packs.
        total: Quantity that weights are shares of, as ``"1M"``.
        unit: Whether `total` counts samples or tokens.
        shortage: Treatment of a source that has less than is asked for.
        pack: Options of counting lengths and making packs.
        sources: Sources of the mixture, in order.
    """

    __pydantic_config__ = _STRICT

    version: Literal[1]
    name: str
    sources: list[MixtureSource]
    seed: int = 0
    total: int | str | None = None
    unit: Unit = "samples"
    shortage: Shortage = "error"
    pack: PackTable = field(default_factory=PackTable)

    def __post_init__(self) -> None:
        if not self.sources:
            raise InputError("sources must name at least one")
        for name, count in Counter(source.label for source in self.sources).items():
            if count > 1:
                raise InputError(f"sources: {name} stands there {count} times")
        weighted = [source.weight is not None for source in self.sources]
        if any(weighted) and not all(weighted):
            other = self.sources[weighted.index(False)].label
            raise InputError(f"sources: either all have a weight or none, {other} has none")
        if any(weighted) != (self.total is not None):
            raise InputError("total and the weights of sources go together")
        _count("total", self.total)
        check_whole("seed", self.seed, 0, LARGEST_SEED)

    @property
    def quantities(self) -> list[Quantity]:
        """Quantity to take of each source."""
        if self.total is None:
            return [source.quantity for source in self.sources]
        shares = apportion(parse_count(self.total), [source.weight or 0 for source in self.sources])
        return [Quantity(self.unit, share) for share in shares]

    def shortage_of(self, source: MixtureSource) -> Shortage:
        """Returns the treatment of a source that has less than is asked for."""
        return source.shortage or self.shortage

    def encoder(self, tokenizer: str | None = None) -> SampleEncoder:
        """Returns the encoder of the mixture; its tokenizer may be read from another place.

        A lock names the place that the mixture names, which may be a hub id or not be here.
        """
        config = self.pack_config()
        return replace(config, tokenizer=tokenizer or config.tokenizer).encoder()

    def pack_config(self, *, workers: int | None = None, overwrite: bool = False) -> PackConfig:
        """Returns the options of the packing run."""
        config = PackConfig(**self.pack.given, seed=self.seed, overwrite=overwrite)
        return config if workers is None else replace(config, workers=workers)


def read_mixture(path: str | Path) -> Mixture:
    """Reads a mixture.

    Raises:
        InputError: The file cannot be read, or a key is unknown, missing or not legal.
        MissingExtraError: The package pydantic is not installed.
    """
    return check_mixture(read_tables(Path(path)), path)


def check_mixture(tables: Mapping[str, Any], place: str | Path) -> Mixture:
    """Makes a mixture from its JSON form.

    Args:
        tables: Content of the recipe, as JSON values.
        place: Name of the file, for messages.

    Raises:
        InputError: A key is unknown, missing or not legal; the key is named.
        MissingExtraError: The package pydantic is not installed.
    """
    mixture = check_tables(Mixture, tables, place, extra="mix")
    mixture.pack_config()
    return mixture


def _count(place: str, value: int | str | None) -> None:
    if value is None:
        return
    try:
        parse_count(value)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
