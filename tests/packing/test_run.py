"""A run goes on where it stopped, ends at once where it is finished, and refuses all else."""

import io
import os
from collections import Counter

import orjson
import pytest
from packing_inputs import caption, set_bytes, write_lines

from packkit.base.engine import LocalEngine
from packkit.base.errors import (
    OutputExistsError,
    RejectRateError,
    SampleError,
    SourceChangedError,
)
from packkit.encoding import SampleEncoder
from packkit.packing import PackConfig, pack
from packkit.samples import Sample
from packkit.shards import PackReader, verify_packs


class CountingEngine(LocalEngine):
    """Counts the tasks that it starts, by what they are."""

    def __init__(self):
        super().__init__(workers=1)
        self.tasks = Counter()

    def run(self, function, tasks):
        for task in tasks:
            self.tasks[type(task).__name__] += 1
            yield function(task)


class Stopped(Exception):
    """Somebody pulled the plug."""


def stop_at(phase, number):
    """Progress that ends the run before a task is done."""

    def on_progress(now, done, total):
        if (now, done) == (phase, number):
            raise Stopped

    return on_progress


def state_of(folder):
    """Bytes, inode and times of every file below a folder."""
    return {
        str(path.relative_to(folder)): (
            path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns, path.stat().st_ctime_ns,
        )
        for path in folder.rglob("*")
        if path.is_file()
    }  # fmt: skip


def files(folder, count=3, each=30):
    for part in range(count):
        write_lines(folder / f"{part}.jsonl", [caption(part * each + i) for i in range(each)])
    return folder


def inputs_of(kind, folder):
    """The same samples as files, as a stream and as objects; a stream is new every time."""
    lines = b"".join(orjson.dumps(caption(i)) + b"\n" for i in range(20))
    if kind == "stream":
        return io.BytesIO(lines)
    if kind == "samples":
        return (Sample.from_dict(caption(i)) for i in range(20))
    if not folder.exists():
        folder.mkdir()
        (folder / "a.jsonl").write_bytes(lines)
    return folder


@pytest.mark.parametrize("storage", ["shards", "files"])
@pytest.mark.parametrize("kind", ["files", "stream", "samples"])
def test_the_same_job_again_ends_at_once_and_writes_nothing(tmp_path, quick_run, kind, storage):
    out, engine = tmp_path / "packs", CountingEngine()
    first = quick_run(inputs_of(kind, tmp_path / "data"), out, storage=storage, max_len=512)
    before = state_of(out)
    again = quick_run(
        inputs_of(kind, tmp_path / "data"), out, storage=storage, max_len=512, engine=engine
    )
    assert engine.tasks == {}
    assert state_of(out) == before
    assert not (out / ".work").exists()
    assert (first.was_complete, again.was_complete) == (False, True)
    run_only = {"seconds": None, "was_complete": None}
    assert {**again.to_dict(), **run_only} == {**first.to_dict(), **run_only}
    assert first.fill_packs is not None
    assert verify_packs(out, deep=False).problems == []


def test_options_that_change_no_byte_are_the_same_job(tmp_path, quick_run):
    data, out = files(tmp_path / "data"), tmp_path / "packs"
    quick_run(data, out, workers=1)
    before = state_of(out)
    assert quick_run(data, out, workers=3, max_reject_rate=1, strict=True).was_complete
    assert state_of(out) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 1}, r"options\.seed was 0, now 1"),
        ({"max_len": 512}, r"options\.max_len was 4096, now 512"),
        ({"storage": "files"}, r"options\.storage was 'shards', now 'files'"),
        ({"data_root": "/elsewhere"}, r"data_root was '.*/data', now '/elsewhere'"),
    ],
)
def test_other_options_are_refused_and_named(tmp_path, quick_run, options, message):
    data, out = files(tmp_path / "data"), tmp_path / "packs"
    quick_run(data, out)
    before = set_bytes(out)
    with pytest.raises(OutputExistsError, match=f"a pack set of another job .*{message}"):
        quick_run(data, out, **options)
    assert set_bytes(out).items() >= before.items()
    assert quick_run(data, out).was_complete


def touch(folder):
    os.utime(folder / "1.jsonl", ns=(1, 1))


def add_line(folder):
    with open(folder / "1.jsonl", "ab") as file:
        file.write(orjson.dumps(caption(500)) + b"\n")


def add_file(folder):
    write_lines(folder / "3.jsonl", [caption(500)])


def rename(folder):
    (folder / "1.jsonl").rename(folder / "1b.jsonl")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (touch, r"inputs\[1\]\.mtime_ns was \d+, now 1"),
        (add_line, r"inputs\[1\]\.size was"),
        (add_file, r"inputs were 3, now 4"),
        (rename, r"inputs\[1\]\.name was '1\.jsonl', now '1b\.jsonl'"),
    ],
)
def test_other_inputs_are_refused_and_named(tmp_path, quick_run, change, message):
    data, out = files(tmp_path / "data"), tmp_path / "packs"
    quick_run(data, out)
    change(data)
    with pytest.raises(OutputExistsError, match=message):
        quick_run(data, out)
    report = quick_run(data, out, overwrite=True)
    assert not report.was_complete
    assert report.samples_read == sum(path.read_bytes().count(b"\n") for path in data.iterdir())


def test_another_stream_is_another_job(tmp_path, quick_run):
    lines = [orjson.dumps(caption(i)) + b"\n" for i in range(4)]
    quick_run(io.BytesIO(b"".join(lines[:3])), tmp_path / "packs")
    with pytest.raises(OutputExistsError, match=r"inputs\[0\]\.xxh3_128"):
        quick_run(io.BytesIO(b"".join(lines)), tmp_path / "packs")


def test_another_encoder_is_another_job(tmp_path, small_encoder):
    data, out = files(tmp_path / "data", count=1), tmp_path / "packs"
    pack(data, out, PackConfig(), encoder=small_encoder)
    other = SampleEncoder(small_encoder.tokenizer, image_tokens=6)
    with pytest.raises(OutputExistsError, match=r"encoder\.image_tokens was 'fixed:5', now"):
        pack(data, out, PackConfig(), encoder=other)


def test_overwrite_does_the_same_job_again(tmp_path, quick_run):
    data, out, engine = files(tmp_path / "data"), tmp_path / "packs", CountingEngine()
    quick_run(data, out)
    before = state_of(out)
    report = quick_run(data, out, overwrite=True, engine=engine)
    assert not report.was_complete and engine.tasks
    after = state_of(out)
    assert all(after[name][1:] != before[name][1:] for name in before)
    assert all(after[name][0] == before[name][0] for name in before if name != "run.json")


def test_too_many_rejects_fail_again_and_a_higher_limit_allows_them(tmp_path, quick_run):
    path, out = write_lines(tmp_path / "a.jsonl", [caption(1), b"no json", caption(2)]), tmp_path
    reports = []
    for _ in range(2):
        with pytest.raises(RejectRateError, match="1 of 3 samples rejected") as caught:
            quick_run(path, out / "packs")
        reports.append(caught.value.report)
    assert [report.was_complete for report in reports] == [False, True]
    assert reports[0].manifest == reports[1].manifest
    assert quick_run(path, out / "packs", max_reject_rate=0.5).was_complete


def test_strict_runs_take_no_set_with_rejects_but_for_repeated_ids(tmp_path, quick_run):
    path = write_lines(tmp_path / "a.jsonl", [caption(1), b"no json"])
    quick_run(path, tmp_path / "rejects", max_reject_rate=1)
    with pytest.raises(OutputExistsError, match="1 samples rejected; strict allows none"):
        quick_run(path, tmp_path / "rejects", max_reject_rate=1, strict=True)
    with pytest.raises(SampleError, match="invalid_json"):
        quick_run(path, tmp_path / "rejects", strict=True, overwrite=True)
    path = write_lines(tmp_path / "b.jsonl", [caption(1), caption(1)])
    options = {"unique_ids": True, "max_reject_rate": 1, "strict": True}
    assert quick_run(path, tmp_path / "repeats", **options).rejects == {"duplicate_id": 1}
    assert quick_run(path, tmp_path / "repeats", **options).was_complete


@pytest.mark.parametrize(("phase", "number"), [("measure", 2), ("write", 0), ("write", 3)])
def test_a_stopped_run_does_only_what_is_missing(tmp_path, quick_run, phase, number):
    data, out = files(tmp_path / "data"), tmp_path / "packs"
    whole = CountingEngine()
    quick_run(data, tmp_path / "whole", max_len=512, engine=whole)
    shards = len(list((tmp_path / "whole").glob("shard-*.jsonl")))
    assert whole.tasks == {"InputFile": 3, "int": 3 + shards} and shards > 3
    with pytest.raises(Stopped):
        quick_run(
            data, out, max_len=512, engine=CountingEngine(), on_progress=stop_at(phase, number)
        )
    assert not (out / "manifest.json").exists()
    rest = CountingEngine()
    quick_run(data, out, max_len=512, engine=rest)
    done = number if phase == "measure" else 3 + number
    assert rest.tasks["int"] == 3 + shards - done
    assert set_bytes(out) == set_bytes(tmp_path / "whole")


def test_rejects_and_samples_are_numbered_through_all_spans_of_a_source(
    tmp_path, quick_run, monkeypatch
):
    for name in "ab":
        records = [caption(i) if i % 3 else b"no json" for i in range(30)]
        write_lines(tmp_path / "data" / f"{name}.jsonl", records)
    monkeypatch.setattr("packkit.sources.containers.json_lines.SPAN_BYTES", 5_000)
    engine = CountingEngine()
    quick_run(tmp_path / "data", tmp_path / "packs", max_reject_rate=1, engine=engine)
    assert engine.tasks["int"] > 6
    rejects = (tmp_path / "packs" / "rejects.jsonl").read_bytes().splitlines()
    rejected = [(row["source"], row["position"]) for row in map(orjson.loads, rejects)]
    assert rejected == [(f"{name}.jsonl", i) for name in "ab" for i in range(0, 30, 3)]
    packs = PackReader(tmp_path / "packs")
    packed = {sample.origin: sample.id for packed in packs for sample in packed.data}
    assert packed == {
        (f"{name}.jsonl", i): f"caption/{i}" for name in "ab" for i in range(30) if i % 3
    }


def test_a_stopped_run_is_not_taken_up_by_another_job(tmp_path, quick_run):
    data, out = files(tmp_path / "data"), tmp_path / "packs"
    with pytest.raises(Stopped):
        quick_run(data, out, on_progress=stop_at("write", 1))
    with pytest.raises(OutputExistsError, match=r"a half-finished run .*options\.seed was 0"):
        quick_run(data, out, seed=3)
    quick_run(data, out, seed=3, overwrite=True)
    quick_run(data, tmp_path / "whole", seed=3)
    assert set_bytes(out) == set_bytes(tmp_path / "whole")


def test_a_run_killed_after_its_manifest_is_complete(tmp_path, quick_run, monkeypatch):
    data, out = files(tmp_path / "data", count=1), tmp_path / "packs"
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr("packkit.packing.workfolder.WorkFolder.remove", stop_now)
        quick_run(data, out)
    assert (out / ".work" / "run.json").exists()
    before = set_bytes(out / "encoder")
    assert quick_run(data, out).was_complete
    assert not (out / ".work").exists() and set_bytes(out / "encoder") == before


def stop_now(work):
    raise Stopped


def test_a_source_that_changes_while_it_is_packed_leaves_no_manifest(tmp_path, quick_run):
    data, out = files(tmp_path / "data"), tmp_path / "packs"

    def meddle(phase, done, total):
        if (phase, done) == ("write", 0):
            add_line(data)

    with pytest.raises(SourceChangedError, match=r"1\.jsonl: changed"):
        quick_run(data, out, on_progress=meddle)
    assert not (out / "manifest.json").exists()


def test_a_set_that_was_moved_is_still_complete_and_readable(tmp_path, quick_run):
    data = files(tmp_path / "data")
    report = quick_run(data, tmp_path / "packs")
    (tmp_path / "packs").rename(tmp_path / "moved")
    assert quick_run(data, tmp_path / "moved").was_complete
    assert len(PackReader(tmp_path / "moved")) == report.packs
