"""Every sample of some files, one after another, for callers other than a packing run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from packkit.base.errors import SampleError
from packkit.images import DataRoot
from packkit.samples import Origin, Sample
from packkit.sources.discover import find_inputs
from packkit.sources.registry import container_named, layout_named
from packkit.sources.source import AUTO, Source, open_source


def read_samples(
    inputs: Sequence[str | Path],
    *,
    staging: Path,
    layout: str = AUTO,
    columns: Mapping[str, str] | None = None,
    data_root: str | Path | None = None,
) -> Iterator[tuple[Origin, Sample | SampleError]]:
    """Yields every sample that inputs hold, in the order of a packing run; images by reference.

    Args:
        inputs: Files, folders or globs.
        staging: Folder for copies of files that cannot be read by offset.
        layout: Name of the layout; ``auto`` tells it from the first record of each file.
        columns: Role in the layout -> name of the field.
        data_root: Folder of image paths; by default the folder of each file.

    Yields:
        Where a record stands, and its sample or why it makes none.

    Raises:
        InputError: An input names nothing, or its container or layout cannot be told.
        FormatError: A file is not what its ending says.
    """
    for file in find_inputs(inputs):
        source = open_source(
            file, staging=staging, layout=layout, columns=columns, data_root=data_root
        )
        yield from _samples_of(source)


def _samples_of(source: Source) -> Iterator[tuple[Origin, Sample | SampleError]]:
    path, position = Path(source.path), 0
    container = container_named(source.container)
    layout, root = layout_named(source.layout, source.columns), DataRoot(source.root)
    for span in container.split(path):
        for record in container.scan(path, span):
            origin = Origin(source.name, position)
            position += 1
            if isinstance(record.fields, SampleError):
                yield origin, record.fields
                continue
            try:
                yield origin, layout.to_sample(record.fields, root)
            except SampleError as error:
                yield origin, error
