"""Pass 1: what every sample of a span weighs, and where it can be read again.

The input is streamed once. Of each sample a row of about a hundred bytes remains: its byte range,
its length from the encoder, and the size of its images. No image is decoded unless asked for.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import xxhash

from packkit.base.errors import RejectReason, SampleError
from packkit.encoding import EncodedSample, SampleEncoder
from packkit.images import DataRoot, ImageRef, peek_header
from packkit.images.pixels import check_pixels
from packkit.packing.config import PackConfig
from packkit.packing.span import SAMPLE_SCHEMA, Notes, Reject, SpanResult, SpanTask
from packkit.samples import Sample
from packkit.samples.keys import ImageStamp
from packkit.sources import Record, Source, container_named, layout_named

# One call of the tokenizer for this many samples or bytes, whichever comes first.
_BATCH_SAMPLES = 256
_BATCH_BYTES = 16 << 20

# One thread parses while the others are inside the tokenizer. Left to the interpreter's own lock,
# two parsing threads hand it to and fro at every small read and are slower than one.
_EXAMINING = threading.Lock()

# JSON around a sample's text and images, for the estimate of a shard's size.
_SAMPLE_OVERHEAD_BYTES = 160


@dataclass(slots=True)
class _Candidate:
    """A legal sample whose length is not known yet."""

    position: int
    record: Record
    sample: Sample
    images: list[dict[str, int]]


class SpanMeasurer:
    """Measures spans; safe to call from several threads.

    Args:
        sources: All inputs.
        encoder: Decides the lengths.
        config: Options of the run.
        notes: What else is noted of every sample.
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
            SampleError: A sample would be rejected and the run is strict.
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
        self._schema = pa.schema([*SAMPLE_SCHEMA, *(notes.fields if notes else ())])
        self._layout = layout_named(source.layout, source.columns)
        self._root = DataRoot(source.root)
        self._read = 0
        self._tables: list[pa.Table] = []
        self._rejects: list[Reject] = []

    def run(self) -> SpanResult:
        container = container_named(self._source.container)
        records = enumerate(container.scan(Path(self._source.path), self._task.span))
        while batch := self._next_batch(records):
            self._encode(batch)
        self._rejects.sort(key=lambda reject: reject.position)
        table = pa.concat_tables([self._schema.empty_table(), *self._tables])
        return SpanResult(self._read, table.combine_chunks(), self._rejects)

    def _next_batch(self, records: Iterator[tuple[int, Record]]) -> list[_Candidate]:
        """Returns the next legal samples; none at the end of the span."""
        batch: list[_Candidate] = []
        batch_bytes = 0
        with _EXAMINING:
            for position, record in records:
                self._read += 1
                if (candidate := self._examine(position, record)) is not None:
                    batch.append(candidate)
                batch_bytes += record.size
                if len(batch) >= _BATCH_SAMPLES or (batch and batch_bytes >= _BATCH_BYTES):
                    break
        return batch

    def _examine(self, position: int, record: Record) -> _Candidate | None:
        """Returns a legal sample with its images looked at, or rejects it."""
        identifier = None
        try:
            if isinstance(record.fields, SampleError):
                raise record.fields
            identifier = _id_of(record.fields.get("id"))
            sample = self._layout.to_sample(record.fields, self._root)
            identifier = sample.id
            if not sample.has_trained_text:
                raise SampleError(RejectReason.EMPTY_TEXT, "no text to train on")
            images = [self._look_at(number, image) for number, image in enumerate(sample.images)]
        except SampleError as error:
            self._reject(position, record, identifier, error)
            return None
        return _Candidate(position, record, sample, images)

    def _look_at(self, number: int, image: bytes | ImageRef) -> dict[str, int]:
        try:
            peek, header = peek_header(image, max_pixels=self._config.max_pixels)
            if self._config.check_images:
                check_pixels(peek.head if len(peek.head) == peek.size else _all_bytes(image))
        except SampleError as error:
            raise SampleError(error.reason, f"image {number}: {error.detail}") from None
        return {
            "width": header.width,
            "height": header.height,
            "tokens": 0,
            "size": peek.size,
            "mtime_ns": peek.mtime_ns,
        }

    def _encode(self, batch: list[_Candidate]) -> None:
        """Measures the lengths of a batch, in one call of the tokenizer."""
        rows = []
        for candidate, encoded in self._encoded(batch):
            if isinstance(encoded, EncodedSample) and encoded.length > self._config.max_len:
                encoded = self._overlong(candidate, encoded)
            try:
                if isinstance(encoded, SampleError):
                    raise encoded
                self._check_images(encoded)
            except SampleError as error:
                self._reject(candidate.position, candidate.record, candidate.sample.id, error)
            else:
                rows.append(self._row(candidate, encoded))
        # As dicts the rows of a span would make the garbage collector walk them over and over.
        self._tables.append(pa.Table.from_pylist(rows, schema=self._schema))

    def _encoded(
        self, batch: list[_Candidate]
    ) -> Iterator[tuple[_Candidate, EncodedSample | SampleError]]:
        results = self._encoder.encode_batch(
            [candidate.sample for candidate in batch],
            image_sizes=[
                [(image["width"], image["height"]) for image in candidate.images]
                for candidate in batch
            ],
        )
        return zip(batch, results, strict=True)

    def _overlong(
        self, candidate: _Candidate, encoded: EncodedSample
    ) -> EncodedSample | SampleError:
        limit = self._config.max_len
        if self._config.overlong != "truncate":
            error = SampleError(
                RejectReason.OVERLONG, f"{encoded.length} tokens, --max-len is {limit}"
            )
            if self._config.overlong == "error":
                raise self._placed(candidate.record, error)
            return error
        candidate.sample = dataclasses.replace(candidate.sample, token_limit=limit)
        return next(self._encoded([candidate]))[1]

    def _check_images(self, encoded: EncodedSample) -> None:
        limit = self._config.max_images
        if limit is not None and len(encoded.image_slots) > limit:
            raise SampleError(
                RejectReason.TOO_MANY_IMAGES,
                f"{len(encoded.image_slots)} images, --max-images is {limit}",
            )

    def _row(self, candidate: _Candidate, encoded: EncodedSample) -> dict[str, Any]:
        sample, record = candidate.sample, candidate.record
        for image, (_, tokens) in zip(candidate.images, encoded.image_slots.tolist(), strict=False):
            image["tokens"] = tokens
        base64_bytes = sum(-(-image["size"] // 3) * 4 for image in candidate.images)
        text_bytes = sum(len(text) for text in sample.texts)
        return {
            "source": self._task.source,
            "position": candidate.position,
            "offset": record.offset,
            "size": record.size,
            "checksum": record.checksum,
            "length": encoded.length,
            "token_limit": sample.token_limit or 0,
            "id_hash": 0 if sample.id is None else xxhash.xxh3_64_intdigest(sample.id.encode()),
            "stored": base64_bytes + text_bytes + _SAMPLE_OVERHEAD_BYTES,
            "images": candidate.images,
            **self._notes_on(candidate),
        }

    def _notes_on(self, candidate: _Candidate) -> Mapping[str, Any]:
        if self._notes is None:
            return {}
        stamps = [
            ImageStamp(image["size"], image["width"], image["height"]) for image in candidate.images
        ]
        return self._notes(self._task.source, candidate.sample, stamps)

    def _reject(
        self, position: int, record: Record, identifier: str | None, error: SampleError
    ) -> None:
        if self._config.strict:
            raise self._placed(record, error)
        self._rejects.append(
            Reject(self._source.name, position, identifier, error.reason.value, error.detail)
        )

    def _placed(self, record: Record, error: SampleError) -> SampleError:
        place = f"{self._source.name}: record at byte {record.offset}"
        return SampleError(error.reason, f"{place}: {error.detail}")


def _id_of(value: object) -> str | None:
    return None if value is None else str(value)


def _all_bytes(image: bytes | ImageRef) -> bytes:
    return image if isinstance(image, bytes) else image.read()
