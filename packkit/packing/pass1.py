"""Pass 1: the length of every sample of a span, and where it can be read again.

The input is streamed once. Of each sample a row of about a hundred bytes remains: its byte range,
its length from the encoder, and the size of its images. No image is decoded unless asked for.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa

from packkit.base import reads
from packkit.base.errors import (
    FormatError,
    RejectReason,
    SampleError,
    UnreadError,
)
from packkit.base.files import names_in_errors
from packkit.encoding import EncodedSample, SampleEncoder
from packkit.images import ImageRef, peek_header
from packkit.images.pixels import check_pixels
from packkit.packing.config import PackConfig
from packkit.packing.span import Notes, Reject, SpanResult, SpanTask, table_schema
from packkit.packing.table_builder import TableBuilder
from packkit.samples import Sample
from packkit.sources import (
    Fields,
    Record,
    SampleReader,
    Source,
    container_named,
    too_large,
)

# One call of the tokenizer for this many samples or bytes, whichever comes first.
_BATCH_SAMPLES = 256
_BATCH_BYTES = 16 << 20

# One thread parses while the others are inside the tokenizer. Left to the interpreter's own lock,
# two parsing threads hand it to and fro at every small read and are slower than one.
_EXAMINING = threading.Lock()

_MOST_PIXELS_A_SIDE = (1 << 31) - 1


def span_tasks(sources: Sequence[Source]) -> Iterator[SpanTask]:
    """Yields the tasks of pass 1: the spans of every source, in order."""
    for number, source in enumerate(sources):
        path = Path(source.path)
        with names_in_errors(path):
            spans = container_named(source.container).split(path)
        yield from (SpanTask(number, span) for span in spans)


class SpanMeasurer:
    """Measures spans; safe to call from several threads.

    Args:
        sources: All inputs, in order.
        encoder: Encoder that the lengths come from.
        config: Options of the run.
        notes: Makes further columns of every sample; by default there are none.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        encoder: SampleEncoder,
        config: PackConfig,
        notes: Notes | None = None,
    ) -> None:
        self._sources = sources
        self._encoder = encoder
        self._config = config
        self._notes = notes

    def __call__(self, task: SpanTask) -> SpanResult:
        """Measures one span.

        Raises:
            FormatError: The file cannot be read to its end, and the run does not allow that.
            SampleError: A sample would be rejected and the run is strict, or a sample is too long
                and `overlong` is ``error``.
        """
        source = self._sources[task.source]
        return _SpanPass(source, task, self._encoder, self._config, self._notes).run()


class _SpanPass:
    """The state of one task."""

    def __init__(
        self,
        source: Source,
        task: SpanTask,
        encoder: SampleEncoder,
        config: PackConfig,
        notes: Notes | None,
    ) -> None:
        self._source = source
        self._task = task
        self._encoder = encoder
        self._config = config
        self._notes = notes
        self._schema = table_schema(notes)
        self._reader = SampleReader(source)
        self._read = 0
        self._tables: list[pa.Table] = []
        self._rejects: list[Reject] = []

    def run(self) -> SpanResult:
        container = container_named(self._source.container)
        records = enumerate(container.scan(Path(self._source.path), self._task.span))
        while batch := self._next_batch(records):
            self._tables.append(self._measure(batch))
        self._rejects.sort(key=lambda reject: reject.position)
        table = pa.concat_tables([self._schema.empty_table(), *self._tables])
        return SpanResult(self._read, table.combine_chunks(), self._rejects)

    def _next_batch(self, records: Iterator[tuple[int, Record]]) -> TableBuilder:
        """Returns the next legal samples; none at the end of the span."""
        batch = TableBuilder()
        batch_bytes = 0
        with names_in_errors(self._source.path), _EXAMINING:
            for position, record in records:
                self._read += 1
                self._examine(batch, position, record)
                batch_bytes += record.size
                if len(batch) >= _BATCH_SAMPLES or (batch and batch_bytes >= _BATCH_BYTES):
                    break
        return batch

    def _examine(self, batch: TableBuilder, position: int, record: Record) -> None:
        """Adds a legal sample to the batch, its images looked at, or rejects it."""
        identifier = None
        try:
            if isinstance(record.fields, SampleError):
                raise record.fields
            if record.size > reads.MAX_RECORD_BYTES:
                raise too_large(record.size)
            identifier = _id_of(record.fields)
            sample = self._reader.read(record.fields)
            identifier = sample.id
            _check_has_json_form(sample)
            if not sample.has_trained_text:
                raise SampleError(RejectReason.EMPTY_TEXT, "no text to train on")
            images = [self._look_at(number, image) for number, image in enumerate(sample.images)]
        except SampleError as error:
            self._reject(position, record.offset, identifier, error)
        else:
            batch.add(position, record, sample, images)

    def _look_at(self, number: int, image: bytes | ImageRef) -> tuple[int, int, int, int]:
        """Returns width and height, pixels, then bytes and modification time of an image."""
        try:
            peek, header = peek_header(image, max_pixels=self._config.max_pixels)
            if self._config.check_images:
                check_pixels(peek.head if len(peek.head) == peek.size else _all_bytes(image))
        except SampleError as error:
            raise SampleError(error.reason, f"image {number}: {error.detail}") from None
        if max(header.width, header.height) > _MOST_PIXELS_A_SIDE:
            detail = f"image {number}: {header.width} x {header.height} pixels"
            raise SampleError(RejectReason.IMAGE_TOO_LARGE, detail)
        return header.width, header.height, peek.size, peek.mtime_ns

    def _measure(self, batch: TableBuilder) -> pa.Table:
        """Returns the rows of a batch, whose lengths come from one call of the tokenizer."""
        sizes = [batch.image_sizes(row) for row in range(len(batch))]
        results = self._encoder.encode_batch(
            batch.samples, image_sizes=sizes, max_len=self._config.max_len
        )
        for row, result in enumerate(results):
            try:
                batch.set_tokens(row, self._within_limits(batch, row, result))
            except SampleError as error:
                sample_id = batch.samples[row].id
                self._reject(batch.position[row], batch.offset[row], sample_id, error)
        table = batch.to_table(self._task.source)
        return table if self._notes is None else self._with_notes(batch, table, self._notes)

    def _within_limits(
        self, batch: TableBuilder, row: int, result: EncodedSample | SampleError
    ) -> EncodedSample:
        """Returns a sample that a pack can hold, cut where the run cuts.

        Raises:
            SampleError: The sample cannot be trained on, is too long or has too many images.
        """
        if isinstance(result, EncodedSample) and result.length > self._config.max_len:
            detail = f"{result.length} tokens, max_len is {self._config.max_len}"
            result = SampleError(RejectReason.OVERLONG, detail)
        if isinstance(result, SampleError) and result.reason is RejectReason.OVERLONG:
            result = self._cut(batch, row, result)
        if isinstance(result, SampleError):
            raise result
        images, limit = len(result.image_slots), self._config.max_images
        if limit is not None and images > limit:
            detail = f"{images} images, max_images is {limit}"
            raise SampleError(RejectReason.TOO_MANY_IMAGES, detail)
        return result

    def _cut(
        self, batch: TableBuilder, row: int, overlong: SampleError
    ) -> EncodedSample | SampleError:
        if self._config.overlong != "truncate":
            return overlong
        sample = batch.samples[row]
        limit = min(sample.token_limit or self._config.max_len, self._config.max_len)
        batch.samples[row] = dataclasses.replace(sample, token_limit=limit)
        sizes = [batch.image_sizes(row)]
        return self._encoder.encode_batch([batch.samples[row]], image_sizes=sizes)[0]

    def _with_notes(self, batch: TableBuilder, table: pa.Table, notes: Notes) -> pa.Table:
        kept = np.flatnonzero(batch.is_measured).tolist()
        values = [notes(self._task.source, batch.samples[row], batch.stamps(row)) for row in kept]
        for field in notes.fields:
            column = pa.array([value[field.name] for value in values], field.type)
            table = table.append_column(field, column)
        return table

    def _reject(
        self, position: int, offset: int, sample_id: str | None, error: SampleError
    ) -> None:
        unread = error.unread if isinstance(error, UnreadError) else 0
        if isinstance(error, UnreadError) and not self._config.allow_truncated:
            detail = f"{error.detail}; {unread} bytes are unread; allow_truncated packs the rest"
            raise FormatError(self._source.name, detail)
        is_overlong = error.reason is RejectReason.OVERLONG
        if self._config.strict or (is_overlong and self._config.overlong == "error"):
            place = f"{self._source.name}: record at byte {offset}"
            raise SampleError(error.reason, f"{place}: {error.detail}")
        # What has no UTF-8 form is told by its escapes.
        name = None if sample_id is None else _escaped(sample_id)
        detail = _escaped(error.detail)
        self._rejects.append(
            Reject(self._source.name, position, name, error.reason.value, detail, unread)
        )


def _check_has_json_form(sample: Sample) -> None:
    """Proves that pass 2 can write a sample.

    Raises:
        SampleError: A text is not UTF-8, or values are nested too deep or are none of JSON.
    """
    try:
        orjson.dumps({"data": [sample.to_dict(with_images=False)]})
    except orjson.JSONEncodeError as error:
        is_no_text = "UTF-8" in str(error)
        reason = RejectReason.INVALID_UTF8 if is_no_text else RejectReason.INVALID_SAMPLE
        raise SampleError(reason, f"has no JSON form ({error})") from None


def _escaped(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


def _id_of(fields: Fields) -> str | None:
    value = fields.get("id")
    return str(value) if isinstance(value, str | int | float) else None


def _all_bytes(image: bytes | ImageRef) -> bytes:
    return image if isinstance(image, bytes) else image.read()
