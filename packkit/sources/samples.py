"""Every sample of some files, one after another, for callers other than a packing run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from packkit.base.errors import (
    FormatError,
    PackkitError,
    SampleError,
    UnreadError,
    invalid_sample,
)
from packkit.images import DataRoot
from packkit.samples import Origin, Sample
from packkit.sources.base import Fields
from packkit.sources.discover import find_inputs
from packkit.sources.registry import container_named, layout_named
from packkit.sources.source import AUTO, Source, open_source
from packkit.sources.unused import check_all_read, without_ignored

# What a record can cause in a layout that did not expect its values. Errors of the machine, such as
# OSError and MemoryError, are no fault of the record.
_FAULTS_OF_THE_RECORD = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RecursionError,
)


def read_samples(
    inputs: Sequence[str | Path],
    *,
    staging: Path,
    layout: str = AUTO,
    columns: Mapping[str, str] | None = None,
    data_root: str | Path | None = None,
    ignored: Sequence[str] = (),
    image_suffix: str = "",
) -> Iterator[tuple[Origin, Sample | SampleError]]:
    """Yields every sample that inputs hold, in the order of a packing run; images by reference.

    Args:
        inputs: Files, folders or globs.
        staging: Folder for copies of files that cannot be read by offset.
        layout: Name of the layout; ``auto`` tells it from the first record of each file.
        columns: Role in the layout -> name of the field.
        data_root: Folder of image paths; by default the folder of each file.
        ignored: Keys and markers of records that do not matter.
        image_suffix: Ending of image names that have none.

    Yields:
        Where a record stands, and its sample or why it makes none.

    Raises:
        InputError: An input names nothing, or its container or layout cannot be told.
        FormatError: A file is not what its ending says, or cannot be read to its end.
    """
    for file in find_inputs(inputs):
        source = open_source(
            file,
            staging=staging,
            layout=layout,
            columns=columns,
            data_root=data_root,
            ignored=ignored,
            image_suffix=image_suffix,
        )
        yield from _samples_of(source)


class SampleReader:
    """Makes samples of the records of one source.

    Args:
        source: The source.
    """

    def __init__(self, source: Source) -> None:
        self._layout = layout_named(source.layout, source.columns)
        self._root = DataRoot(source.root, source.image_suffix)
        self._ignored = source.ignored
        self._is_plain = getattr(self._layout, "texts_are_plain", False)

    def read(self, fields: Fields) -> Sample:
        """Returns the sample that a record makes.

        Raises:
            SampleError: The record makes no legal sample, its layout did not expect its values, or
                left out what looks like training data.
        """
        try:
            kept = without_ignored(fields, self._ignored)
            sample = self._layout.to_sample(kept, self._root)
            check_all_read(sample, kept, self._ignored, texts_are_plain=self._is_plain)
            return sample
        except PackkitError:
            raise
        except _FAULTS_OF_THE_RECORD as error:
            raise invalid_sample(f"{type(error).__name__}: {error}") from error


def _samples_of(source: Source) -> Iterator[tuple[Origin, Sample | SampleError]]:
    path, position = Path(source.path), 0
    container = container_named(source.container)
    reader = SampleReader(source)
    for span in container.split(path):
        for record in container.scan(path, span):
            origin = Origin(source.name, position)
            position += 1
            if isinstance(record.fields, UnreadError):
                raise FormatError(source.name, record.fields.detail)
            if isinstance(record.fields, SampleError):
                yield origin, record.fields
                continue
            try:
                sample: Sample | SampleError = reader.read(record.fields)
            except SampleError as error:
                sample = error
            yield origin, sample
