"""A page on which a person scores samples without knowing where they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import orjson
import xxhash

from packkit.base.errors import InputError
from packkit.base.files import write_atomically
from packkit.base.orders import seeded_key
from packkit.base.pages import render_page
from packkit.infimed.chat import data_url
from packkit.infimed.curation.prompt import IMAGE_SIDE, turns_of
from packkit.infimed.curation.rubric import IMAGING_RELEVANCE, RUBRIC, RUBRIC_VERSION, SCORES
from packkit.infimed.curation.sampling import Draw, Drawn, data_sets, draw
from packkit.samples import Sample

_TEMPLATE = "sheet.html.j2"

# Tells the order of a page from the other uses of its seed.
_STREAM = 0x5EE7


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetConfig:
    """Options of `make_sheet`.

    Attributes:
        samples: Drawn from each data set at most.
        seed: Decides which, and their order. With the seed of `packkit assess` they are among those
            that the judge scores, if those are as many.
        layout: Layout of the records, or ``auto``.
        columns: Role in the layout -> name of the field, for tables.
        data_root: Folder of image paths; by default that of each input file.

    Raises:
        InputError: A value is out of range.
    """

    samples: int = 50
    seed: int = 0
    layout: str = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)
    data_root: str | None = None

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise InputError(f"samples must be at least 1, got {self.samples}")
        if self.seed < 0:
            raise InputError(f"seed must not be negative, got {self.seed}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetReport:
    """What a sheet holds.

    Attributes:
        out: The page.
        sheet: Its id, which files of ratings name.
        bytes: Of the page.
        samples: On the page. One that several data sets have stands there once.
        drawn: From each data set.
        unreadable: Of each data set: records that make no sample, or whose images cannot be
            decoded.
    """

    out: str
    sheet: str
    bytes: int
    samples: int
    drawn: Mapping[str, int]
    unreadable: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON."""
        return asdict(self)


class _Part(NamedTuple):
    """One part of a sample as the template takes it: a text, or an image as data URL."""

    text: str = ""
    image: str = ""


class _Shown(NamedTuple):
    """One sample as the template takes it; nothing in it tells the data set."""

    key: str
    turns: Sequence[tuple[str, Sequence[_Part]]]
    criteria: Sequence[str]


def make_sheet(inputs: Sequence[str], out: str | Path, config: SheetConfig) -> SheetReport:
    """Draws samples and writes a page on which they can be scored.

    Args:
        inputs: Each a path, whose stem names the data set, or ``NAME=PATH``.
        out: The page, HTML. It needs no other file and no network.
        config: Options.

    Raises:
        InputError: Inputs make no sense, or a data set holds no sample.
        FormatError: An input is not what it should be.
        MissingExtraError: Jinja2 is not installed.
        OSError: The page cannot be written.
    """
    with TemporaryDirectory(prefix="packkit-sheet-") as staging:
        draws = list(_draws(inputs, config, Path(staging)))
        chosen = _in_order([one for of in draws for one in of.samples], config.seed)
        sheet = _sheet_id(chosen)
        page = render_sheet(sheet, chosen).encode()
    write_atomically(Path(out), page)
    return SheetReport(
        out=str(out),
        sheet=sheet,
        bytes=len(page),
        samples=len(chosen),
        drawn={one.name: len(one.samples) for one in draws},
        unreadable={one.name: sum(one.unreadable.values()) for one in draws},
    )


def render_sheet(sheet: str, samples: Sequence[Drawn]) -> str:
    """Returns the page as HTML.

    Args:
        sheet: Its id.
        samples: In the order in which they are shown; no key twice.

    Raises:
        SampleError: An image cannot be read.
        MissingExtraError: Jinja2 is not installed.
    """
    return render_page(
        "packkit.infimed.curation",
        _TEMPLATE,
        extra="judge",
        sheet=sheet,
        samples=[_shown(one) for one in samples],
        rubric=RUBRIC,
        scores=SCORES,
    )


def _draws(inputs: Sequence[str], config: SheetConfig, staging: Path) -> Iterator[Draw]:
    for number, one in enumerate(data_sets(inputs)):
        yield draw(
            one,
            config.samples,
            seed=config.seed,
            staging=staging / str(number),
            layout=config.layout,
            columns=config.columns,
            data_root=config.data_root,
        )


def _in_order(samples: Sequence[Drawn], seed: int) -> list[Drawn]:
    """Returns each sample once, in an order in which data sets are mixed."""
    # The first of a key stays: what it shows is the same.
    by_key = {one.key: one for one in reversed(samples)}
    return sorted(by_key.values(), key=lambda one: seeded_key(seed, _STREAM, one.key))


def _sheet_id(samples: Sequence[Drawn]) -> str:
    keys = [f"{one.key:016x}" for one in samples]
    return xxhash.xxh3_64_hexdigest(orjson.dumps([RUBRIC_VERSION, keys]))


def _shown(drawn: Drawn) -> _Shown:
    sample = drawn.sample
    images = iter(range(len(sample.images)))
    turns = [
        (role, [_part(sample, part, images) for part in content])
        for role, content in turns_of(sample)
    ]
    # Without an image its relevance is fixed, and nobody is asked for it.
    criteria = [name for name in RUBRIC if sample.images or name != IMAGING_RELEVANCE]
    return _Shown(f"{drawn.key:016x}", turns, criteria)


def _part(sample: Sample, part: str | None, images: Iterator[int]) -> _Part:
    if part is not None:
        return _Part(text=part)
    return _Part(image=data_url(sample.image_bytes(next(images)), IMAGE_SIDE))
