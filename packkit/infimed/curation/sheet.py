"""A page on which a person scores samples without knowing where they come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import orjson
import xxhash

from packkit.base.files import write_atomically
from packkit.base.orders import LARGEST_SEED, seeded_key
from packkit.base.pages import render_page
from packkit.base.values import LARGEST_COUNT, check_whole
from packkit.infimed.chat import data_url
from packkit.infimed.curation.prompt import IMAGE_SIDE, turns_of
from packkit.infimed.curation.rubric import IMAGING_RELEVANCE, RUBRIC, RUBRIC_VERSION, SCORES
from packkit.infimed.curation.sampling import DrawnSample, DrawnSet, draw, input_sets
from packkit.samples import Sample

_TEMPLATE = "sheet.html.j2"

# Keeps the order of a page independent of the other uses of its seed.
_STREAM = 0x5EE7


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetConfig:
    """Options of `make_sheet`.

    Attributes:
        samples: Samples to draw from each data set at most.
        seed: Seed of the hashes that decide which samples are drawn, and of their order. With the
            seed that `assess` had they are among those that the judge scored, if it scored as many.
        layout: Layout of the records, or ``auto``.
        columns: Role in the layout -> name of the field, for tables.
        data_root: Folder of image paths; by default that of each input file.
        image_suffix: Ending of image names that have none.
        ignore: Keys and markers of records that do not matter.

    Raises:
        InputError: A value is out of range.
    """

    samples: int = 50
    seed: int = 0
    layout: str = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)
    data_root: str | None = None
    image_suffix: str = ""
    ignore: Sequence[str] = ()

    def __post_init__(self) -> None:
        check_whole("samples", self.samples, 1, LARGEST_COUNT)
        check_whole("seed", self.seed, 0, LARGEST_SEED)


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetReport:
    """What a sheet holds.

    Attributes:
        out: File of the page.
        sheet: Id of the sheet, which files of ratings repeat.
        bytes: Size of the page.
        samples: Number of samples on the page; one that several data sets have is shown once.
        drawn: Number of samples drawn from each data set.
        unreadable: Number of records of each data set that make no sample, or whose images cannot
            be decoded.
    """

    out: str
    sheet: str
    bytes: int
    samples: int
    drawn: Mapping[str, int]
    unreadable: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as JSON."""
        return asdict(self)


class _PagePart(NamedTuple):
    """One part of a sample as the template takes it: a text, or an image as data URL."""

    text: str = ""
    image: str = ""


class _PageSample(NamedTuple):
    """One sample as the template takes it, without anything that tells its data set."""

    key: str
    turns: Sequence[tuple[str, Sequence[_PagePart]]]
    criteria: Sequence[str]


def make_sheet(inputs: Sequence[str], out: str | Path, config: SheetConfig) -> SheetReport:
    """Draws samples and writes a page on which they can be scored.

    Args:
        inputs: Files, folders or globs, whose stem names the data set, or ``NAME=PATH``.
        out: HTML file to write; it needs no other file and no network.
        config: Options of the sheet.

    Raises:
        InputError: Inputs make no sense, or a data set holds no sample.
        FormatError: An input is not what it should be.
        MissingExtraError: The package jinja2 is not installed.
        OSError: The page cannot be written.
    """
    with TemporaryDirectory(prefix="packkit-sheet-") as staging:
        drawn_sets = list(_drawn_sets(inputs, config, Path(staging)))
        samples = _in_order(chain.from_iterable(drawn.samples for drawn in drawn_sets), config.seed)
        sheet = _sheet_id(samples)
        page = render_sheet(sheet, samples).encode()
    write_atomically(Path(out), page)
    return SheetReport(
        out=str(out),
        sheet=sheet,
        bytes=len(page),
        samples=len(samples),
        drawn={drawn.name: len(drawn.samples) for drawn in drawn_sets},
        unreadable={drawn.name: sum(drawn.unreadable.values()) for drawn in drawn_sets},
    )


def render_sheet(sheet: str, samples: Sequence[DrawnSample]) -> str:
    """Returns the page as HTML.

    Args:
        sheet: Id of the sheet.
        samples: Samples in the order in which they are shown, no two with the same key.

    Raises:
        SampleError: An image cannot be read.
        MissingExtraError: The package jinja2 is not installed.
    """
    return render_page(
        "packkit.infimed.curation",
        _TEMPLATE,
        extra="judge",
        sheet=sheet,
        samples=[_page_sample(drawn) for drawn in samples],
        rubric=RUBRIC,
        scores=SCORES,
    )


def _drawn_sets(inputs: Sequence[str], config: SheetConfig, staging: Path) -> Iterator[DrawnSet]:
    for number, input_set in enumerate(input_sets(inputs)):
        yield draw(
            input_set,
            config.samples,
            seed=config.seed,
            staging=staging / str(number),
            layout=config.layout,
            columns=config.columns,
            data_root=config.data_root,
            ignored=config.ignore,
            image_suffix=config.image_suffix,
        )


def _in_order(samples: Iterable[DrawnSample], seed: int) -> list[DrawnSample]:
    """Returns each sample once, in a random order that mixes the data sets."""
    # Samples of one key show the same: the first stays.
    by_key: dict[int, DrawnSample] = {}
    for drawn in samples:
        by_key.setdefault(drawn.key, drawn)
    return sorted(by_key.values(), key=lambda drawn: seeded_key(seed, _STREAM, drawn.key))


def _sheet_id(samples: Sequence[DrawnSample]) -> str:
    keys = [f"{drawn.key:016x}" for drawn in samples]
    return xxhash.xxh3_64_hexdigest(orjson.dumps([RUBRIC_VERSION, keys]))


def _page_sample(drawn: DrawnSample) -> _PageSample:
    sample = drawn.sample
    images = iter(range(len(sample.images)))
    turns = [
        (role, [_page_part(sample, part, images) for part in content])
        for role, content in turns_of(sample)
    ]
    # Imaging relevance is fixed without an image, so raters are not asked for it.
    criteria = [name for name in RUBRIC if sample.images or name != IMAGING_RELEVANCE]
    return _PageSample(f"{drawn.key:016x}", turns, criteria)


def _page_part(sample: Sample, part: str | None, images: Iterator[int]) -> _PagePart:
    if part is not None:
        return _PagePart(text=part)
    return _PagePart(image=data_url(sample.image_bytes(next(images)), IMAGE_SIDE))
