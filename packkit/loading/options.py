"""The options of loading, each said once: its name, type, default, meaning and rule.

`PackLoader`, `PackDataset`, `PackSampler`, `PackStream` and `collate_packs` take them as keywords
or as one of the classes here. The typed dictionaries below repeat names and types alone, so that
editors and type checkers know the keywords; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar, get_args

from packkit.base.engine import LARGEST_WORKERS
from packkit.base.errors import InputError
from packkit.base.orders import LARGEST_SEED, LARGEST_STEP, Split
from packkit.base.pack_options import LARGEST_CAPACITY
from packkit.base.values import check_number, check_whole
from packkit.encoding import SampleEncoder
from packkit.images import LARGEST_PIXELS, LARGEST_SIZE, MAX_PIXELS
from packkit.loading.order import Shuffle

Decoder = Literal["pillow", "turbo"]
BadImage = Literal["raise", "mask"]
Tail = Literal["drop", "fill"]
Rank = int | Literal["all"]

LARGEST_PREFETCH = 1024
"""Batches in the making at most: all of them are held in memory, and few hide any wait."""

_Options = TypeVar("_Options")


@dataclass(frozen=True, kw_only=True)
class DatasetOptions:
    """How packs are read and their images decoded.

    Attributes:
        image_size: Width and height of the decoded images, pixels.
        decoder: ``pillow``, or ``turbo``, which is faster; see `packkit.images.pixels`.
        on_bad_image: What happens where an image cannot be decoded: ``raise`` an error, or
            ``mask``: blank pixels, and its sample is ignored. Bytes that are not those written
            always raise.
        max_pixels: Largest image that is decoded, width x height.
        encoder: Encoder that turns samples into ids, for packs that hold none; for those that do it
            must be the same.
        verify: Whether every checksum is compared when its bytes are read.
    """

    image_size: int = 384
    decoder: Decoder = "pillow"
    on_bad_image: BadImage = "raise"
    max_pixels: int = MAX_PIXELS
    encoder: SampleEncoder | None = None
    verify: bool = True

    def __post_init__(self) -> None:
        if self.on_bad_image not in get_args(BadImage):
            raise InputError(f"on_bad_image must be raise or mask, got {self.on_bad_image!r}")
        check_whole("image_size", self.image_size, 1, LARGEST_SIZE)
        check_whole("max_pixels", self.max_pixels, 1, LARGEST_PIXELS)


@dataclass(frozen=True, kw_only=True)
class SamplerOptions:
    """How packs are ordered, cut into steps and dealt to ranks.

    Attributes:
        packs_per_step: Packs of a step over all ranks, at least one a rank.
        seed: Seed of the order.
        rank: Number of this process; by default that of ``torch.distributed``, or 0 without it.
            ``all`` gives the batches of every rank in turn, for ``accelerator.prepare``, which
            deals them out.
        world_size: Number of ranks; by default that of ``torch.distributed``, or 1 without it.
        shuffle: Order of an epoch: ``global``, ``shards`` (the disk is read sequentially) or
            ``none``; see `EpochOrder`.
        tail: What becomes of the packs at the end of an epoch that do not fill a step: ``fill`` it
            up with fillers, which hold nothing and have id -1, or ``drop`` them.
        balance: Whether the packs inside a step are dealt so that ranks get nearly equal numbers of
            images and sums of squared lengths; see `deal_evenly`.
        shares: How much of an epoch each set of the dataset gets; see `EpochOrder`.
        split: ``train``, or ``validation`` for the packs that are held out.
        validation_fraction: About how much of each set is held out, by hash; see `hold_out`.
    """

    packs_per_step: int
    seed: int = 0
    rank: Rank | None = None
    world_size: int | None = None
    shuffle: Shuffle = "global"
    tail: Tail = "fill"
    balance: bool = False
    shares: Sequence[float] | None = None
    split: Split = "train"
    validation_fraction: float = 0.0

    def __post_init__(self) -> None:
        for name, choices in (("shuffle", Shuffle), ("tail", Tail), ("split", Split)):
            if getattr(self, name) not in get_args(choices):
                known, given = ", ".join(get_args(choices)), getattr(self, name)
                raise InputError(f"{name} must be one of {known}, got {given!r}")
        check_whole("packs_per_step", self.packs_per_step, 1, LARGEST_STEP)
        check_whole("seed", self.seed, 0, LARGEST_SEED)
        if self.world_size is not None:
            check_whole("world_size", self.world_size, 1, LARGEST_STEP)
        check_number("validation_fraction", self.validation_fraction, 0, 1)
        if self.validation_fraction == 1:
            raise InputError(
                f"validation_fraction must be in [0, 1), got {self.validation_fraction}"
            )


@dataclass(frozen=True, kw_only=True)
class BatchOptions:
    """How packs are joined to a batch.

    Attributes:
        pad_to_multiple_of: Number that the tokens of a batch are raised to a multiple of.
        max_seqlen: Number that fixes `PackBatch.max_seqlen`, which else is that of the batch;
            padding is cut into segments of at most this.
    """

    pad_to_multiple_of: int | None = None
    max_seqlen: int | None = None

    def __post_init__(self) -> None:
        for name in ("pad_to_multiple_of", "max_seqlen"):
            if (value := getattr(self, name)) is not None:
                check_whole(name, value, 1, LARGEST_CAPACITY)


@dataclass(frozen=True, kw_only=True)
class LoaderOptions(DatasetOptions, SamplerOptions, BatchOptions):
    """All options of a `PackLoader`.

    Attributes:
        threads: Threads that read and decode; 0 does all of it in the thread that iterates.
        prefetch: Batches in the making while one is consumed.
        ledger: Folder in which every rank notes what it consumed, see `packkit.ledger`.
    """

    threads: int = 4
    prefetch: int = 2
    ledger: str | Path | None = None

    def __post_init__(self) -> None:
        DatasetOptions.__post_init__(self)
        SamplerOptions.__post_init__(self)
        BatchOptions.__post_init__(self)
        check_whole("threads", self.threads, 0, LARGEST_WORKERS)
        check_whole("prefetch", self.prefetch, 1, LARGEST_PREFETCH)


class DatasetKeywords(TypedDict, total=False):
    """The fields of `DatasetOptions` as keywords."""

    image_size: int
    decoder: Decoder
    on_bad_image: BadImage
    max_pixels: int
    encoder: SampleEncoder | None
    verify: bool


class SamplerKeywords(TypedDict, total=False):
    """The fields of `SamplerOptions` as keywords."""

    packs_per_step: int
    seed: int
    rank: Rank | None
    world_size: int | None
    shuffle: Shuffle
    tail: Tail
    balance: bool
    shares: Sequence[float] | None
    split: Split
    validation_fraction: float


class BatchKeywords(TypedDict, total=False):
    """The fields of `BatchOptions` as keywords."""

    pad_to_multiple_of: int | None
    max_seqlen: int | None


class LoaderKeywords(DatasetKeywords, SamplerKeywords, BatchKeywords, total=False):
    """The fields of `LoaderOptions` as keywords."""

    threads: int
    prefetch: int
    ledger: str | Path | None


def resolve_options(
    kind: type[_Options], options: _Options | None, keywords: dict[str, Any]
) -> _Options:
    """Returns the options that a caller gave as one object, as keywords, or as both.

    Args:
        kind: Class of the options, made from keywords alone where no object is given.
        options: Options whose fields the keywords replace.
        keywords: Fields by name.

    Raises:
        TypeError: A keyword is no option, or a required one is missing; the keyword is named.
        InputError: An option is not legal.
    """
    if options is None:
        return kind(**keywords)
    return replace(options, **keywords) if keywords else options  # type: ignore[type-var]
