"""The options of a packing run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from packkit.base import pack_options as default
from packkit.base.engine import LARGEST_WORKERS, usable_cpus
from packkit.base.errors import InputError
from packkit.base.orders import LARGEST_SEED
from packkit.base.pack_options import (
    LARGEST_CAPACITY,
    LARGEST_SHARD,
    Algorithm,
    Overlong,
    Storage,
)
from packkit.base.values import LARGEST_COUNT, check_number, check_whole
from packkit.encoding import SampleEncoder
from packkit.images import LARGEST_PIXELS, MAX_PIXELS

# Every option stands in one of these three, which a test derives from the fields.

# What decides the results that a run keeps: part of the job, so that another value is another job.
DECIDING = frozenset(
    {"max_len", "image_tokens", "template", "layout", "columns", "storage", "shard_size"}
    | {"ignore", "image_suffix"}
    | {"algorithm", "max_images", "max_samples", "overlong", "seed", "max_pixels", "check_images"}
    | {"unique_ids", "allow_truncated"}
)
# What decides them, too, and is stated in the job by what it stands for: the encoder's fingerprint,
# the folder of the images.
RESOLVED = frozenset({"tokenizer", "data_root"})
# What changes no kept result. A strict run takes none that holds a reject.
PASSING = frozenset({"workers", "strict", "max_reject_rate", "overwrite"})

# Greater limits than a pack holds tokens are none, and size nothing.
_LARGEST = {
    "max_len": LARGEST_CAPACITY,
    "shard_size": LARGEST_SHARD,
    "workers": LARGEST_WORKERS,
    "max_pixels": LARGEST_PIXELS,
    "max_images": LARGEST_COUNT,
    "max_samples": LARGEST_COUNT,
}
_OPTIONAL = frozenset({"max_images", "max_samples"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PackConfig:
    """Options of `pack`.

    Attributes:
        max_len: Capacity of a pack, tokens.
        tokenizer: Path of a tokenizer.json, a folder that holds one, or a hub id.
        image_tokens: Tokens of an image: a number or a policy such as ``fixed:144``.
        template: Chat template that turns become text by, ``qwen3`` or ``chatml``.
        layout: Layout of the records, or ``auto``.
        columns: Name of the field for each role of the layout.
        data_root: Folder of image paths; by default the folder of each input file.
        image_suffix: Ending of image names that have none, such as ``.jpg``.
        ignore: Keys and markers of records that do not matter; see `packkit.sources.unused`.
        storage: ``shards`` of many packs, or ``files`` with one pack each.
        shard_size: Bytes at which a shard is closed.
        algorithm: Planner to use: ``ffd``, ``fill``, or ``best`` of both.
        max_images: Images that a pack may hold at most; None is no limit.
        max_samples: Samples that a pack may hold at most; None is no limit.
        overlong: What happens to a sample of more than `max_len` tokens: ``reject``, ``truncate``
            or ``error``.
        seed: Seed that decides which samples of equal length meet, and the order of the packs.
        workers: Threads of the run; by default one for each processor.
        max_pixels: Largest image accepted, width x height.
        check_images: Whether every image is decoded once, and a broken one rejected.
        unique_ids: Whether a sample is rejected whose id came before.
        strict: Whether the run stops at the first sample that would be rejected.
        max_reject_rate: Share of rejected samples above which the run fails, in [0, 1].
        overwrite: Whether a pack set in the output folder is replaced.
        allow_truncated: Whether a file that cannot be read to its end is packed as far as it can be
            read; else it is an error.

    Raises:
        InputError: A value is out of range.
    """

    max_len: int = default.MAX_LEN
    tokenizer: str = default.TOKENIZER
    image_tokens: int | str = default.IMAGE_TOKENS
    template: str = default.TEMPLATE
    layout: str = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)
    data_root: str | None = None
    image_suffix: str = ""
    ignore: tuple[str, ...] = ()
    storage: Storage = default.STORAGE
    shard_size: int = default.SHARD_SIZE
    algorithm: Algorithm = default.ALGORITHM
    max_images: int | None = None
    max_samples: int | None = None
    overlong: Overlong = default.OVERLONG
    seed: int = 0
    workers: int = field(default_factory=usable_cpus)
    max_pixels: int = MAX_PIXELS
    check_images: bool = False
    unique_ids: bool = False
    strict: bool = False
    max_reject_rate: float = default.MAX_REJECT_RATE
    overwrite: bool = False
    allow_truncated: bool = False

    def __post_init__(self) -> None:
        for name, most in _LARGEST.items():
            if not (name in _OPTIONAL and getattr(self, name) is None):
                check_whole(name, getattr(self, name), 1, most)
        check_whole("seed", self.seed, 0, LARGEST_SEED)
        for name, choices in (
            ("algorithm", get_args(Algorithm)),
            ("overlong", get_args(Overlong)),
            ("storage", get_args(Storage)),
        ):
            if getattr(self, name) not in choices:
                given = getattr(self, name)
                raise InputError(f"{name} must be one of {', '.join(choices)}, got {given!r}")
        check_number("max_reject_rate", self.max_reject_rate, 0, 1)

    def encoder(self) -> SampleEncoder:
        """Returns the encoder that these options name."""
        return SampleEncoder(self.tokenizer, image_tokens=self.image_tokens, template=self.template)

    def identity(self) -> dict[str, Any]:
        """Returns the options that decide the output, but for those stated by what they mean."""
        values = {name: getattr(self, name) for name in sorted(DECIDING)}
        return {**values, "columns": dict(self.columns), "ignore": sorted(self.ignore)}
