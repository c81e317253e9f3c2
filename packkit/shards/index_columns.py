"""The columns of an index, each stated once: its name, its type and what it holds.

`PackRow`, `SampleRow` and `ImageRow` are the list. A row is one of them filled with plain values,
an open index is the same three filled with arrays, and the Arrow schema and the builder are made
from their annotations. So a new column is one line here and its value in `make_row`. docs/format.md
shows the list, and a test compares the two.

A writer makes the rows of a pack from what it was given, `packkit.shards.scan` makes them from the
stored text alone, and verifying compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Generic, NamedTuple, TypeVar, get_type_hints

import xxhash
from numpy.typing import NDArray

from packkit.samples import Sample

FORMAT_VERSION = 2
"""Version of the whole pack set; raised when a reader of the old one would misread the new one."""

UNKNOWN_TOKENS = -1
"""Tokens of an image in packs made without an encoder; 0 means that it lies past the cut."""

_Number = TypeVar("_Number")
_Label = TypeVar("_Label")
_Level = TypeVar("_Level", bound=type[Any])


class Column(NamedTuple):
    """How a column is stored.

    Attributes:
        type: NumPy's and Arrow's name of the integer type, such as ``int32``.
        doc: What a stored value means.
        labels: Name of the list of labels that the stored numbers point into, -1 standing for no
            label. Rows hold the label itself, or None. None for a column of plain numbers.
    """

    type: str
    doc: str
    labels: str | None = None


_COLUMNS: dict[type[Any], dict[str, Column]] = {}


def columns_of(level: type[Any]) -> dict[str, Column]:
    """Returns the columns of `PackRow`, `SampleRow` or `ImageRow` by name, in their order."""
    return _COLUMNS[level]


def _index_columns(level: _Level) -> _Level:
    """Reads the columns from the annotations of a class, and documents its fields for ``help``."""
    hints = get_type_hints(level, include_extras=True)
    _COLUMNS[level] = {name: hint.__metadata__[0] for name, hint in hints.items()}
    for name, column in _COLUMNS[level].items():
        getattr(level, name).__doc__ = f"{column.type}. {column.doc}"
    return level


@_index_columns
class PackRow(NamedTuple, Generic[_Number]):
    """Columns with one value a pack."""

    offset: Annotated[_Number, Column("int64", "First byte of the pack's JSON text in its file.")]
    size: Annotated[_Number, Column("int64", "Bytes of the text, line end left out.")]
    tokens: Annotated[_Number, Column("int32", "Sum of the lengths of its samples.")]
    checksum: Annotated[_Number, Column("uint64", "xxh3_64 of the text.")]


@_index_columns
class SampleRow(NamedTuple, Generic[_Number, _Label]):
    """Columns with one value a sample, over all packs of a shard."""

    length: Annotated[_Number, Column("int32", "Tokens of the sample.")]
    group: Annotated[
        _Label, Column("int32", "Number of its label in `packkit.groups`, or -1.", "groups")
    ]
    origin: Annotated[
        _Label, Column("int32", "Number of its input file in `packkit.origins`, or -1.", "origins")
    ]
    position: Annotated[_Number, Column("int64", "Number of the record in that input, or -1.")]


@_index_columns
class ImageRow(NamedTuple, Generic[_Number]):
    """Columns with one value an image, over all packs of a shard, in the order of the text."""

    sample: Annotated[_Number, Column("int32", "Number of its sample in the pack, from 0.")]
    offset: Annotated[
        _Number, Column("int64", "First byte of its base64 in the file, the quote left out.")
    ]
    size: Annotated[_Number, Column("int64", "Bytes of its base64.")]
    width: Annotated[_Number, Column("int32", "Pixels as displayed; 0 without a readable header.")]
    height: Annotated[_Number, Column("int32", "Pixels as displayed; 0 without a readable header.")]
    tokens: Annotated[
        _Number, Column("int32", "Tokens it takes; 0 past the cut, -1 where unknown.")
    ]
    checksum: Annotated[_Number, Column("uint64", "xxh3_64 of the decoded bytes.")]


LABEL_LISTS = [
    column.labels
    for columns in _COLUMNS.values()
    for column in columns.values()
    if column.labels is not None
]
"""Names of the lists of labels that columns point into."""

PackColumns = PackRow[NDArray[Any]]
SampleColumns = SampleRow[NDArray[Any], NDArray[Any]]
ImageColumns = ImageRow[NDArray[Any]]


class IndexRow(NamedTuple):
    """All that the index says of one pack.

    Attributes:
        pack: Values of the pack itself.
        samples: One row a sample, labels as text.
        images: One row an image, in the order of the text.
        file: Name of the pack's file, where every pack has its own.
    """

    pack: PackRow[int]
    samples: tuple[SampleRow[int, str | None], ...]
    images: tuple[ImageRow[int], ...]
    file: str | None = None


class MeasuredSample(NamedTuple):
    """A sample with what was measured of it, ready to be written.

    Attributes:
        sample: The sample; images that are references are read when it is written.
        length: Tokens of the sample.
        image_sizes: Width and height of each image as displayed, pixels.
        image_tokens: Tokens of each image; 0 past the cut, -1 where there is no encoder.
    """

    sample: Sample
    length: int
    image_sizes: Sequence[tuple[int, int]]
    image_tokens: Sequence[int]


class ImagePlace(NamedTuple):
    """Where an image stands in the text of its pack.

    Attributes:
        sample: Number of its sample in the pack, from 0.
        offset: First byte of its base64 in the text.
        size: Bytes of its base64.
        checksum: Checksum (xxh3_64) of the decoded bytes.
    """

    sample: int
    offset: int
    size: int
    checksum: int


def make_row(
    text: bytes,
    items: Sequence[MeasuredSample],
    places: Sequence[ImagePlace],
    *,
    offset: int,
    file: str | None,
) -> IndexRow:
    """Returns what the index says of a pack.

    Args:
        text: JSON text of the pack.
        items: Samples of the pack, measured.
        places: Where the images stand in the text, in order.
        offset: Where the text begins in its file, bytes.
        file: Name of the file, where every pack has its own.

    Raises:
        ValueError: The numbers of images, sizes and token counts differ.
    """
    sizes = [size for item in items for size in item.image_sizes]
    tokens = [count for item in items for count in item.image_tokens]
    return IndexRow(
        pack=PackRow(
            offset=offset,
            size=len(text),
            tokens=sum(item.length for item in items),
            checksum=xxhash.xxh3_64_intdigest(text),
        ),
        samples=tuple(map(_sample_row, items)),
        images=tuple(
            ImageRow(
                sample=place.sample,
                offset=offset + place.offset,
                size=place.size,
                width=width,
                height=height,
                tokens=count,
                checksum=place.checksum,
            )
            for place, (width, height), count in zip(places, sizes, tokens, strict=True)
        ),
        file=file,
    )


def _sample_row(item: MeasuredSample) -> SampleRow[int, str | None]:
    source, position = item.sample.origin or (None, -1)
    label = item.sample.meta.get("source")
    return SampleRow(
        length=item.length,
        group=label if isinstance(label, str) else source,
        origin=source,
        position=position,
    )
