"""Pass 1 measures every sample as the encoder does alone, however its input is cut."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import orjson
import pyarrow as pa
import pytest
import xxhash
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packing_inputs import caption, png, write_lines

from packkit.base.errors import SampleError
from packkit.packing import PackConfig
from packkit.packing import pass1 as module
from packkit.packing.pass1 import SpanMeasurer, span_tasks
from packkit.packing.sample_table import SampleTable
from packkit.packing.span import SAMPLE_SCHEMA, SpanTask
from packkit.samples import Sample
from packkit.samples.keys import ImageStamp
from packkit.sources import Span

LONG = "one word after another " * 30

RECORDS = [
    caption(1),
    caption(2, id=None),
    {"id": "text", "content": "No image at all, umlauts in the text: äöü."},
    b"no json",
    caption(3, text=LONG),
    {"id": "two", "content": [{"type": "image"}, {"type": "image"}, "Both."]},
    {**caption(4), "token_limit": 9},
    caption(5, text=" "),
]
RECORDS[5] = {
    "id": "two",
    "content": [{"type": "image"}, {"type": "text", "text": "then"}, {"type": "image"}],
    "images": caption(1)["images"] + caption(2)["images"],
}


@pytest.fixture
def path(tmp_path):
    return write_lines(tmp_path / "data" / "a.jsonl", RECORDS)


def test_rows_are_those_of_samples_encoded_one_by_one(path, measure, small_encoder):
    _, (measured, reads, rejects) = measure(path, max_len=2000)
    assert reads == [len(RECORDS)]
    assert [(reject.position, reject.reason) for reject in rejects] == [
        (3, "invalid_json"),
        (7, "empty_text"),
    ]
    kept = [position for position in range(len(RECORDS)) if position not in (3, 7)]
    assert measured.position.tolist() == kept
    data = path.read_bytes()
    for row, position in enumerate(kept):
        start, size = int(measured.offset[row]), int(measured.size[row])
        record = data[start : start + size]
        assert orjson.loads(record) == RECORDS[position]
        assert measured.checksum[row] == xxhash.xxh3_64_intdigest(record)
        sample = Sample.from_dict(RECORDS[position])
        encoded = small_encoder.encode(sample)
        assert measured.length[row] == encoded.length
        tokens = encoded.image_slots[:, 1].tolist()
        padded = tokens + [0] * (len(sample.images) - len(tokens))
        assert measured.tokens_of_images(row) == padded
        assert measured.image_sizes(row) == [(24, 16)] * len(sample.images)
        assert measured.token_limit[row] == (sample.token_limit or 0)
        expected = 0 if sample.id is None else xxhash.xxh3_64_intdigest(sample.id.encode())
        assert measured.id_hash[row] == expected


@pytest.mark.parametrize(("samples", "size"), [(1, 1 << 20), (3, 1 << 20), (256, 1), (256, 900)])
def test_batches_change_nothing(path, measure, monkeypatch, samples, size):
    _, whole = measure(path, max_len=2000)
    monkeypatch.setattr(module, "_BATCH_SAMPLES", samples)
    monkeypatch.setattr(module, "_BATCH_BYTES", size)
    _, cut = measure(path, max_len=2000)
    assert cut.measured.table.equals(whole.measured.table)
    assert cut.rejects == whole.rejects


@given(st.sets(st.integers(1, len(RECORDS) - 1)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_spans_change_nothing(path, measure, small_encoder, cuts):
    sources, whole = measure(path, max_len=2000)
    lines = path.read_bytes().splitlines(keepends=True)
    bounds = [sum(map(len, lines[:cut])) for cut in sorted({0, *cuts, len(lines)})]
    measurer = SpanMeasurer(sources, small_encoder, PackConfig(max_len=2000))
    spans = [measurer(SpanTask(0, Span(*pair))) for pair in pairwise(bounds)]
    bases = [sum(span.read for span in spans[:number]) for number in range(len(spans))]
    joined = SampleTable.of_spans([span.table for span in spans], bases)
    assert joined.table.equals(whole.measured.table)
    assert [
        reject._replace(position=base + reject.position)
        for span, base in zip(spans, bases, strict=True)
        for reject in span.rejects
    ] == whole.rejects


def test_tasks_cover_every_source_once_in_order(tmp_path, measure):
    paths = [write_lines(tmp_path / f"{n}.jsonl", [caption(n)] * (n + 1)) for n in range(3)]
    sources, _ = measure(*paths)
    tasks = list(span_tasks(sources))
    for number, path in enumerate(paths):
        spans = [task.span for task in tasks if task.source == number]
        assert b"".join(path.read_bytes()[slice(*span)] for span in spans) == path.read_bytes()
    assert [task.source for task in tasks] == sorted(task.source for task in tasks)


def test_long_samples_are_cut_rejected_or_an_error(path, measure, small_encoder):
    _, cut = measure(path, max_len=60, overlong="truncate")
    row = cut.measured.position.tolist().index(4)
    sample = replace(Sample.from_dict(RECORDS[4]), token_limit=60)
    assert cut.measured.length[row] == small_encoder.encode(sample).length <= 60
    assert cut.measured.token_limit[row] == 60
    _, rejected = measure(path, max_len=60, overlong="reject")
    overlong = [reject for reject in rejected.rejects if reject.reason == "overlong"]
    length = small_encoder.length(Sample.from_dict(RECORDS[4]))
    assert (4, "caption/3", f"{length} tokens, max_len is 60") in [
        (reject.position, reject.id, reject.detail) for reject in overlong
    ]
    with pytest.raises(SampleError, match=r"a\.jsonl: record at byte \d+: \d+ tokens, max_len is"):
        measure(path, max_len=60, overlong="error")


def test_images_past_the_cut_take_no_tokens(tmp_path, measure):
    record = {**RECORDS[5], "content": ["x" * 50, *RECORDS[5]["content"]]}
    record["content"][0] = {"type": "text", "text": LONG}
    path = write_lines(tmp_path / "data" / "b.jsonl", [record])
    _, (measured, _, _) = measure(path, max_len=40, overlong="truncate")
    assert measured.tokens_of_images(0) == [0, 0]
    assert measured.images.tolist() == [0]


def test_samples_with_too_many_images_are_rejected(path, measure):
    _, (measured, _, rejects) = measure(path, max_len=2000, max_images=1)
    assert 5 not in measured.position
    (reject,) = [reject for reject in rejects if reject.reason == "too_many_images"]
    assert (reject.position, reject.id, reject.detail) == (5, "two", "2 images, max_images is 1")


def test_strict_runs_stop_at_a_reject_with_its_place(path, measure):
    place = path.read_bytes().index(b"no json")
    with pytest.raises(SampleError, match=rf"invalid_json: a\.jsonl: record at byte {place}: "):
        measure(path, max_len=2000, strict=True)


def test_broken_pixels_are_found_where_asked_for(tmp_path, measure):
    data = tmp_path / "data"
    path = write_lines(data / "a.jsonl", [caption(1, images=[{"path": "a.png"}])])
    broken = bytearray(png(1))
    broken[len(broken) // 2] ^= 255
    (data / "a.png").write_bytes(broken)
    _, unchecked = measure(path)
    _, checked = measure(path, check_images=True)
    assert (len(unchecked.measured), len(checked.measured)) == (1, 0)
    assert checked.rejects[0].detail.startswith("image 0: ")
    status = (data / "a.png").stat()
    assert unchecked.measured.image_stamps(0) == [(status.st_size, status.st_mtime_ns)]


class Notes:
    """Notes two columns of every sample."""

    fields = (pa.field("name", pa.string()), pa.field("bytes", pa.int64()))

    def __call__(self, source, sample, stamps):
        assert source == 0 and all(isinstance(stamp, ImageStamp) for stamp in stamps)
        return {"name": sample.id, "bytes": sum(stamp.size for stamp in stamps)}


def test_notes_stand_in_the_rows_of_their_samples(path, measure, monkeypatch):
    monkeypatch.setattr(module, "_BATCH_SAMPLES", 2)
    _, (measured, _, _) = measure(path, max_len=200, notes=Notes())
    assert measured.table.schema.names == [*SAMPLE_SCHEMA.names, "name", "bytes"]
    kept = [RECORDS[position] for position in measured.position.tolist()]
    assert measured.table.column("name").to_pylist() == [record.get("id") for record in kept]
    sizes = [sum(size for size, _ in measured.image_stamps(row)) for row in range(len(measured))]
    assert measured.column("bytes").tolist() == sizes
    assert 0 in sizes and max(sizes) > 1000


def test_an_empty_file_has_no_rows(tmp_path, measure):
    path = Path(tmp_path / "data" / "none.jsonl")
    path.parent.mkdir()
    path.write_bytes(b"")
    _, (measured, reads, rejects) = measure(path, notes=Notes())
    assert (len(measured), reads, rejects) == (0, [0], [])
    assert measured.column("name").tolist() == []
