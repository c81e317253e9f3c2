"""Everything that passes between a run and its pass 1: tasks, rows, rejects, notes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import orjson
import pyarrow as pa

from packkit.samples import Sample
from packkit.samples.keys import ImageStamp
from packkit.sources import Span

IMAGE_FIELDS = [
    pa.field("width", pa.int32()),
    pa.field("height", pa.int32()),
    pa.field("tokens", pa.int32()),
    pa.field("size", pa.int64()),
    pa.field("mtime_ns", pa.int64()),
]
"""What a row of pass 1 holds of each image; ``tokens`` is 0 past the cut of its sample."""

SAMPLE_SCHEMA = pa.schema(
    [
        ("source", pa.int32()),
        ("position", pa.int64()),
        ("offset", pa.int64()),
        ("size", pa.int64()),
        ("checksum", pa.uint64()),
        ("length", pa.int32()),
        ("token_limit", pa.int32()),
        ("id_hash", pa.uint64()),
        ("stored", pa.int64()),
        ("images", pa.list_(pa.struct(IMAGE_FIELDS))),
    ]
)
"""One row a sample. ``token_limit`` is 0 where the sample is not cut by this run; ``id_hash`` is 0
where it has no id; ``stored`` estimates its bytes in a shard."""


class Notes(Protocol):
    """Makes further columns of every sample in pass 1, for whoever chooses among the samples."""

    @property
    def fields(self) -> Sequence[pa.Field]:
        """Columns beside those of `SAMPLE_SCHEMA`."""

    def __call__(
        self, source: int, sample: Sample, stamps: Sequence[ImageStamp]
    ) -> Mapping[str, Any]:
        """Returns a value for each column; safe to call from several threads.

        Args:
            source: Number of the source.
            sample: A sample that can be packed.
            stamps: Bytes and size of each of its images.
        """


def table_schema(notes: Notes | None) -> pa.Schema:
    """Returns the columns that pass 1 makes of every sample."""
    return pa.schema([*SAMPLE_SCHEMA, *(notes.fields if notes else ())])


class SpanTask(NamedTuple):
    """One task of pass 1.

    Attributes:
        source: Number of the source.
        span: Byte range of the source to read.
    """

    source: int
    span: Span


class Reject(NamedTuple):
    """A sample left out.

    Attributes:
        source: Name of the source.
        position: Number of the record in its source; in its span until all spans are counted.
        id: Id of the sample where it could be read.
        reason: Name of the rule that the sample breaks.
        detail: What was found instead.
        unread: Bytes that may hold any number of samples, where the reject stands for such; else 0.
    """

    source: str
    position: int
    id: str | None
    reason: str
    detail: str
    unread: int = 0


def reject_lines(rejects: Iterable[Reject]) -> bytes:
    """Returns rejects as JSON lines, as ``rejects.jsonl`` holds them."""
    return b"".join(map(_reject_line, rejects))


def _reject_line(reject: Reject) -> bytes:
    fields = reject._asdict()
    if not reject.unread:
        del fields["unread"]
    return orjson.dumps(fields) + b"\n"


class SpanResult(NamedTuple):
    """The samples of a span.

    Attributes:
        read: Number of records in the span.
        table: Accepted samples, `SAMPLE_SCHEMA` and notes; positions count from the span's start.
        rejects: Samples that were not accepted.
    """

    read: int
    table: pa.Table
    rejects: list[Reject]
