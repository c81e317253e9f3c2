"""What packing would make of inputs, seen before: container, layout and why, fields, samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from packkit.base.errors import FormatError, InputError, SampleError
from packkit.encoding import SampleEncoder
from packkit.images import ImageRef
from packkit.images.references import peek_header
from packkit.samples import Sample
from packkit.sources.base import Fields, Record, Span
from packkit.sources.discover import InputFile, find_inputs
from packkit.sources.registry import container_named, installed_layouts, layout_named
from packkit.sources.samples import SampleReader
from packkit.sources.source import AUTO, Source, open_source

_RECORDS = 1000


@dataclass(frozen=True, slots=True)
class TurnView:
    """A turn, or a document, as it would be trained.

    Attributes:
        role: Speaker of the turn, or ``document``.
        is_trained: Whether the loss covers it.
        text: Text of the turn, with ``[image]`` for an image.
    """

    role: str
    is_trained: bool
    text: str


@dataclass(frozen=True, slots=True)
class SampleView:
    """A sample as it would be trained.

    Attributes:
        position: Number of its record.
        id: Id of the sample; None without one.
        turns: Turns of the sample, or one document.
        images: Format, size and bytes of each image, or why it cannot be read.
        meta: Keys that are carried along and not trained.
        length: Number of tokens; None where no tokenizer was named.
    """

    position: int
    id: str | None
    turns: list[TurnView]
    images: list[str]
    meta: list[str]
    length: int | None


@dataclass(slots=True)
class Inspection:
    """What packing would make of the first records of a file.

    Attributes:
        name: Name of the file.
        container: How records lie in it; empty where that cannot be told.
        layout: What fields mean; empty where that cannot be told.
        fitting: Layouts that the first record fits.
        problem: Why the file cannot be read; empty where it can.
        records: Number of records that were looked at.
        fields: Name of each field -> kinds of its values.
        rejects: Reason -> number of records that would be rejected.
        examples: Reason -> place and detail of the first of them.
        samples: The first samples.
    """

    name: str
    container: str = ""
    layout: str = ""
    fitting: list[str] = field(default_factory=list)
    problem: str = ""
    records: int = 0
    fields: dict[str, list[str]] = field(default_factory=dict)
    rejects: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)
    samples: list[SampleView] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as JSON."""
        return asdict(self)


def inspect_inputs(
    inputs: Sequence[str | Path],
    *,
    samples: int = 3,
    encoder: SampleEncoder | None = None,
    layout: str = AUTO,
    columns: Mapping[str, str] | None = None,
    data_root: str | Path | None = None,
    ignored: Sequence[str] = (),
    image_suffix: str = "",
) -> Iterator[Inspection]:
    """Looks at the first thousand records of every file, and packs nothing.

    Args:
        inputs: Files, folders or globs.
        samples: Number of samples of each file that are shown.
        encoder: Encoder that counts tokens; by default none are counted.
        layout: Name of the layout; ``auto`` tells it from the first record of each file.
        columns: Role in the layout -> name of the field.
        data_root: Folder of image paths; by default the folder of each file.
        ignored: Keys and markers of records that do not matter.
        image_suffix: Ending of image names that have none.

    Raises:
        InputError: An input names nothing.
    """
    with TemporaryDirectory(prefix="packkit-") as staging:
        for file in find_inputs(inputs):
            inspection = Inspection(file.name)
            try:
                source = open_source(
                    file,
                    staging=Path(staging),
                    layout=layout,
                    columns=columns,
                    data_root=data_root,
                    ignored=ignored,
                    image_suffix=image_suffix,
                )
                _look(inspection, source, samples, encoder)
            except (InputError, FormatError) as error:
                inspection.problem = str(error)
                _look_at_fields(inspection, file, Path(staging))
            yield inspection


def _look(
    inspection: Inspection, source: Source, samples: int, encoder: SampleEncoder | None
) -> None:
    inspection.container, inspection.layout = source.container, source.layout
    reader = SampleReader(source)
    for position, record in enumerate(_first_records(source)):
        try:
            fields = _fields_of(record)
            _note_fields(inspection, fields)
            sample = reader.read(fields)
            if len(inspection.samples) < samples:
                inspection.samples.append(_view(position, sample, encoder))
        except SampleError as error:
            _note_reject(inspection, position, error)


def _look_at_fields(inspection: Inspection, file: InputFile, staging: Path) -> None:
    """Notes what fields there are in a file whose layout cannot be told."""
    try:
        # Any layout will do: it is not asked.
        source = open_source(file, staging=staging, layout="packkit")
    except (InputError, FormatError):
        return
    inspection.container = source.container
    for position, record in enumerate(_first_records(source)):
        try:
            _note_fields(inspection, _fields_of(record))
        except SampleError as error:
            _note_reject(inspection, position, error)


def _first_records(source: Source) -> Iterator[Record]:
    span = Span(0, Path(source.path).stat().st_size)
    return islice(container_named(source.container).scan(Path(source.path), span), _RECORDS)


def _fields_of(record: Record) -> Fields:
    if isinstance(record.fields, SampleError):
        raise record.fields
    return record.fields


def _note_fields(inspection: Inspection, fields: Fields) -> None:
    if not inspection.fields:
        kinds = installed_layouts()
        inspection.fitting = [name for name in kinds if layout_named(name, {}).matches(fields)]
    inspection.records += 1
    for key, value in fields.items():
        kinds_of_key = inspection.fields.setdefault(key, [])
        if (kind := _kind(value)) not in kinds_of_key:
            kinds_of_key.append(kind)


def _note_reject(inspection: Inspection, position: int, error: SampleError) -> None:
    reason = error.reason.value
    inspection.rejects[reason] = inspection.rejects.get(reason, 0) + 1
    inspection.examples.setdefault(reason, f"record {position}: {error.detail}")


def _kind(value: object) -> str:
    """Returns what a value is in words of JSON, of a list also what it holds."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "text"
        case list():
            return f"list of {_kind(value[0])}" if value else "empty list"
        case Mapping():
            return f"object of {', '.join(map(str, list(value)[:6]))}"
    return "bytes"


def _view(position: int, sample: Sample, encoder: SampleEncoder | None) -> SampleView:
    if sample.content is not None:
        turns = [TurnView("document", True, _shown(sample.content))]
    else:
        turns = [
            TurnView(message.role, message.is_trained, _shown(message.content))
            for message in sample.messages or ()
        ]
    length = None if encoder is None else encoder.length(sample)
    images = [_image_view(image) for image in sample.images]
    return SampleView(position, sample.id, turns, images, list(sample.meta), length)


def _shown(content: Sequence[str | None]) -> str:
    return "".join("[image]" if part is None else part for part in content)


def _image_view(image: bytes | ImageRef) -> str:
    try:
        peek, header = peek_header(image)
    except SampleError as error:
        return str(error)
    return f"{header.format}, {header.width} x {header.height} pixels, {peek.size:,} bytes"
