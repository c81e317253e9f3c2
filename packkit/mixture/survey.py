"""Examines every sample of every source of a mixture once, before any is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from packkit.base.errors import InputError
from packkit.mixture.filters import Filter, label
from packkit.mixture.modalities import UNKNOWN, modality_of
from packkit.mixture.recipe import Mixture, MixtureSource
from packkit.packing.run import Pass1Result
from packkit.samples import Sample
from packkit.samples.keys import ImageStamp, sample_key
from packkit.sources import InputFile, Source, find_inputs, open_source


@dataclass(frozen=True, slots=True)
class OpenMixture:
    """A mixture whose files have been found; also what pass 1 notes of every sample.

    Attributes:
        mixture: Mixture as its recipe states it.
        sources: All files of the mixture.
        owners: Number of the mixture's source that each file belongs to.
        filters: Filters of each of the mixture's sources.
    """

    mixture: Mixture
    sources: Sequence[Source]
    owners: Sequence[int]
    filters: Sequence[Sequence[Filter]]

    @property
    def fields(self) -> Sequence[pa.Field]:
        """Columns beside those of a packing run: key, number of the filter that drops, modality."""
        return (
            pa.field("key", pa.uint64()),
            pa.field("dropped", pa.int8()),
            pa.field("modality", pa.string()),
        )

    def __call__(
        self, source: int, sample: Sample, stamps: Sequence[ImageStamp]
    ) -> Mapping[str, Any]:
        """Computes the columns that decide whether a sample is taken and how it is counted.

        Raises:
            InputError: A filter cannot decide on the sample.
        """
        owner = self.owners[source]
        key = sample_key(sample, stamps)
        return {
            "key": key,
            "dropped": self._dropped(owner, sample, key),
            "modality": _modality(self.mixture.sources[owner], sample),
        }

    def parts(self, pass1: Pass1Result) -> list[SourcePart]:
        """Returns the records that pass 1 counted in each of the mixture's sources."""
        owner = np.asarray(self.owners, np.int32)[pass1.measured.source]
        return [self._part(number, pass1, owner) for number in range(len(self.mixture.sources))]

    def _dropped(self, owner: int, sample: Sample, key: int) -> int:
        """Returns the number of the first filter that drops a sample, from 1, or 0."""
        filters = enumerate(self.filters[owner], 1)
        return next((number for number, filter_ in filters if filter_.drops(sample, key)), 0)

    def _part(self, number: int, pass1: Pass1Result, owner: NDArray[np.int32]) -> SourcePart:
        rows = np.flatnonzero(owner == number)
        files = [i for i, source_owner in enumerate(self.owners) if source_owner == number]
        dropped = pass1.measured.column("dropped")[rows]
        counts = {
            label(filter_): int((dropped == place).sum())
            for place, filter_ in enumerate(self.filters[number], 1)
        }
        return SourcePart(
            files=[self.sources[i] for i in files],
            read=sum(pass1.reads[i] for i in files),
            available=len(rows),
            dropped=counts,
            rows=rows[dropped == 0],
        )


class MixtureFile(NamedTuple):
    """One file of a mixture.

    Attributes:
        owner: Number of the mixture's source that the file belongs to.
        file: Location of the file.
    """

    owner: int
    file: InputFile


class SourcePart(NamedTuple):
    """Records of one of a mixture's sources, counted.

    Attributes:
        files: Files of the source.
        read: Number of records in the files.
        available: Number of samples that can be packed, before any filter.
        dropped: Number of samples that each filter leaves out.
        rows: int64 [n], rows of the measured samples that may be taken.
    """

    files: list[Source]
    read: int
    available: int
    dropped: Mapping[str, int]
    rows: NDArray[np.int64]


def find_files(mixture: Mixture, data: Path, out: Path | None = None) -> list[MixtureFile]:
    """Lists the files of a mixture, in the order of its sources.

    Args:
        mixture: Mixture as its recipe states it.
        data: Folder that the mixture's paths are relative to.
        out: Folder of the pack set, which no file may lie in.

    Raises:
        InputError: A path names nothing, or two sources share a file.
    """
    seen: dict[Path, str] = {}
    files = []
    for number, source in enumerate(mixture.sources):
        for file in find_inputs([data / path for path in source.paths], apart_from=out):
            real = file.path.resolve()
            if real in seen:
                raise InputError(f"source {source.label}: {real} is a file of {seen[real]} too")
            seen[real] = source.label
            files.append(MixtureFile(number, file))
    return files


def open_mixture(
    mixture: Mixture,
    filters: Sequence[Sequence[Filter]],
    files: Sequence[MixtureFile],
    data: Path,
    staging: Path,
) -> OpenMixture:
    """Makes the files of a mixture readable by offset, and detects their layouts.

    Args:
        mixture: Mixture as its recipe states it.
        filters: Filters of each of the mixture's sources.
        files: Files of the source.
        data: Folder that the mixture's paths are relative to.
        staging: Folder for copies of files that cannot be read by offset.

    Raises:
        InputError: The layout of a file cannot be detected.
        FormatError: A file cannot be read as its name says.
    """
    sources = []
    for number, file in files:
        source = mixture.sources[number]
        opened = open_source(
            file,
            staging=staging / str(number),
            layout=source.layout,
            columns=source.columns,
            ignored=source.ignore,
            image_suffix=source.image_suffix,
            data_root=None if source.images is None else data / source.images,
        )
        # Rejects are told by this name, over all sources.
        sources.append(replace(opened, name=f"{source.label}/{file.name}"))
    return OpenMixture(mixture, sources, [number for number, _ in files], filters)


def _modality(source: MixtureSource, sample: Sample) -> str:
    told = modality_of(source.use, sample.meta)
    return told if told != UNKNOWN else source.modality or UNKNOWN
