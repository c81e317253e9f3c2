"""Pass 2: one task makes one shard.

It gathers the shard's samples by byte range, reads the images that are files of their own, and
writes pack after pack. Memory is one shard's payload. Whatever differs from pass 1 is an error: by
now the plan rests on it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from packkit.base.errors import SampleError, SourceChangedError
from packkit.images import FileImage
from packkit.packing.config import PackConfig
from packkit.packing.gather import OUTSTANDING_READS, gather
from packkit.packing.sample_table import SampleTable
from packkit.planning.arrange import ShardTask
from packkit.samples import Origin, Sample
from packkit.shards import MeasuredSample, ShardEntry, ShardWriter
from packkit.sources import SampleReader, Source, container_named


class ShardMaker:
    """Writes shards; safe to call from several threads.

    Args:
        out: Folder of the pack set.
        sources: All inputs, in order.
        measured: Rows of the samples to write.
        origins: Names of the origins that the samples are identified by.
        config: Options of the run.
    """

    def __init__(
        self,
        out: Path,
        sources: Sequence[Source],
        measured: SampleTable,
        origins: Sequence[str],
        config: PackConfig,
    ) -> None:
        self._out = out
        self._sources = sources
        self._measured = measured
        self._origins = origins
        self._config = config

    def __call__(self, task: ShardTask) -> ShardEntry:
        """Writes one shard and commits it.

        Raises:
            SourceChangedError: An input is not what it was in pass 1.
        """
        samples = self._gather(task.samples)
        with ShardWriter(
            self._out,
            shard_name(task),
            storage=self._config.storage,
            first_pack=task.first_pack,
        ) as writer:
            for start, stop in zip(task.bin_offsets, task.bin_offsets[1:], strict=False):
                rows = task.samples[start:stop].tolist()
                # Taken out as they are written, so that memory falls while the file grows.
                writer.write([self._with_measures(row, samples.pop(row)) for row in rows])
            return writer.commit()

    def _gather(self, rows: NDArray[np.int64]) -> dict[int, Sample]:
        """Returns the samples of the rows, their image files read."""
        samples = {
            row: dataclasses.replace(
                sample,
                origin=self._origin(row),
                token_limit=int(self._measured.token_limit[row]) or None,
            )
            for row, sample in reread_samples(self._sources, self._measured, rows)
        }
        return self._with_files(samples)

    def _origin(self, row: int) -> Origin:
        number, position = self._measured.origin[row], self._measured.position[row]
        return Origin(self._origins[int(number)], int(position))

    def _with_files(self, samples: dict[int, Sample]) -> dict[int, Sample]:
        """Returns the same samples with the images that are files of their own in memory."""
        files = [
            (row, number, image)
            for row, sample in samples.items()
            for number, image in enumerate(sample.images)
            if isinstance(image, FileImage)
        ]
        images = {row: list(samples[row].images) for row, _, _ in files}
        with ThreadPoolExecutor(OUTSTANDING_READS) as threads:
            read = threads.map(lambda place: self._read_file(*place), files)
            for (row, number, _), data in zip(files, read, strict=True):
                images[row][number] = data
        changed = {
            row: dataclasses.replace(samples[row], images=tuple(images[row])) for row in images
        }
        return {**samples, **changed}

    def _read_file(self, row: int, number: int, image: FileImage) -> bytes:
        try:
            data, *stamp = image.read_all()
        except SampleError as error:
            raise SourceChangedError(image.path, error.detail) from None
        if tuple(stamp) != self._measured.image_stamps(row)[number]:
            raise SourceChangedError(image.path, "its size or modification time differs")
        return data

    def _with_measures(self, row: int, sample: Sample) -> MeasuredSample:
        return MeasuredSample(
            sample,
            int(self._measured.length[row]),
            tuple(self._measured.image_sizes(row)),
            tuple(self._measured.tokens_of_images(row)),
        )


def shard_name(task: ShardTask) -> str:
    """Returns the name of a shard without its ending."""
    return f"shard-{task.number:05d}"


def reread_samples(
    sources: Sequence[Source], measured: SampleTable, rows: NDArray[np.int64]
) -> Iterator[tuple[int, Sample]]:
    """Yields rows with their samples as pass 1 saw them, by source and offset.

    Args:
        sources: All inputs, in order.
        measured: The rows of pass 1.
        rows: int64 [k], the rows to read, in any order; images stay references.

    Raises:
        SourceChangedError: An input is not what it was in pass 1.
    """
    readers = {
        number: _RecordReader(sources[number])
        for number in np.unique(measured.source[rows]).tolist()
    }
    for row, data in gather(sources, measured, rows):
        reader = readers[int(measured.source[row])]
        yield row, reader.read(data, int(measured.offset[row]))


class _RecordReader:
    """Makes samples from the bytes of one source's records."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._container = container_named(source.container)
        self._reader = SampleReader(source)

    def read(self, data: bytes, offset: int) -> Sample:
        try:
            return self._reader.read(self._container.load(data))
        except SampleError as error:
            detail = f"the record at byte {offset} is no sample now ({error})"
            raise SourceChangedError(self._source.name, detail) from None
