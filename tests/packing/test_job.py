"""The main job: nothing lost, the same bytes every time, killed or not."""

import base64
import io
import os
import time
from collections import Counter
from multiprocessing import get_context

import numpy as np
import orjson
import pyarrow as pa
import pytest
from packing_inputs import caption, png, set_bytes, write_lines

from packkit.base.errors import (
    InputError,
    LockedError,
    OutputExistsError,
    RejectRateError,
    SampleError,
    SourceChangedError,
)
from packkit.packing import PackConfig, pack
from packkit.packing.workfolder import WorkFolder
from packkit.samples import Message, Sample
from packkit.shards import PackReader, verify_packs
from packkit.shards.stats import set_stats

FAULTS = {
    "invalid_json": b'{"id": "cut", "content": [{"type"',
    "invalid_utf8": b'{"id": "bytes", "content": "\xff\xfe"}',
    "invalid_sample": {"id": "role", "messages": [{"role": "tool", "content": "x"}]},
    "empty_text": caption(0, text=" \n "),
    "image_count": caption(0, images=[]),
    "missing_image": caption(0, images=[{"path": "images/none.png"}]),
    "unsafe_path": caption(0, images=[{"path": "../../../etc/passwd"}]),
    "invalid_base64": caption(0, images=["-*-_"]),
    "invalid_image": caption(0, images=[base64.b64encode(b"GIF89a, not really").decode()]),
    "image_too_large": caption(0, images=[base64.b64encode(png(1, 40, 40)).decode()]),
    "overlong": caption(0, text="one word after another " * 400),
    "no_targets": {
        "id": "asks",
        "messages": [
            {"role": "user", "content": "Anyone?"},
            {"role": "assistant", "content": "no", "train": False},
        ],
    },
}


def rejects_of(out):
    return [orjson.loads(line) for line in (out / "rejects.jsonl").read_bytes().splitlines()]


def test_every_fault_is_a_reject_with_its_reason_and_nothing_else_is_lost(tmp_path, run):
    faults = list(FAULTS.values())
    records = [record for i, fault in enumerate(faults) for record in (caption(i + 1), fault)]
    path = write_lines(tmp_path / "data" / "mixed.jsonl", records)
    out = tmp_path / "packs"
    report = run(path, out, max_reject_rate=1, max_len=1024, max_pixels=1000)
    assert report.samples_read == len(records)
    assert report.samples_packed == len(faults)
    assert report.samples_rejected == len(faults)
    for number, (reject, reason) in enumerate(zip(rejects_of(out), FAULTS, strict=True)):
        assert reject["source"] == "mixed.jsonl"
        assert reject["position"] == 2 * number + 1
        # What asks for a train flag has no text to train on, which is found first.
        expected = "empty_text" if reason == "no_targets" else reason
        assert reject["reason"] == expected
        assert reject["detail"]
    ids = Counter(sample.id for packed in PackReader(out) for sample in packed.data)
    assert ids == Counter(f"caption/{i + 1}" for i in range(len(faults)))
    assert verify_packs(out, deep=True).problems == []


def test_images_are_stored_as_they_came(tmp_path, run):
    pictures = {f"{i}.png": png(i) for i in range(5)}
    for name, data in pictures.items():
        (tmp_path / "data" / "images").mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / "images" / name).write_bytes(data)
    records = [caption(i, images=[{"path": f"images/{i}.png"}], meta={"n": i}) for i in range(5)]
    path = write_lines(tmp_path / "data" / "paths.jsonl", records)
    run(path, tmp_path / "packs")
    samples = [sample for packed in PackReader(tmp_path / "packs") for sample in packed.data]
    assert {f"{s.meta['n']}.png": s.images[0] for s in samples} == pictures


@pytest.mark.parametrize("storage", ["shards", "files"])
def test_output_does_not_depend_on_workers_or_place(tmp_path, run, storage):
    outputs = []
    for number, workers in enumerate((1, 2, 5)):
        # The same data elsewhere: absolute paths must not reach the packs.
        data = tmp_path / f"somewhere-{number}"
        for part in range(3):
            records = [caption(part * 40 + i) for i in range(40)]
            write_lines(data / f"part-{part}.jsonl", records)
        out = tmp_path / f"packs-{number}"
        run(data, out, workers=workers, storage=storage, max_len=512)
        outputs.append(set_bytes(out))
    assert outputs[0] == outputs[1] == outputs[2]
    assert len(outputs[0]) > 8


def test_seed_changes_the_packs_and_not_the_samples(tmp_path, run):
    path = write_lines(tmp_path / "a.jsonl", map(caption, range(60)))
    ids = []
    for seed in (0, 1):
        run(path, tmp_path / str(seed), seed=seed, max_len=512)
        ids.append([s.id for packed in PackReader(tmp_path / str(seed)) for s in packed.data])
    assert ids[0] != ids[1]
    assert sorted(ids[0]) == sorted(ids[1])


def test_concatenated_sources_come_out_mixed(tmp_path, run):
    rng = np.random.default_rng(0)
    sample_text = ["a", "scan", "of", "the", "chest", "in", "axial", "view"]
    records = [
        {
            "content": " ".join(rng.choice(sample_text, 3 + int(rng.lognormal(1.5, 0.5)))),
            "meta": {"source": f"source-{source}"},
        }
        for source in range(10)
        for _ in range(4000)
    ]
    path = write_lines(tmp_path / "a.jsonl", records)
    run(path, tmp_path / "packs", max_len=64, shard_size=1 << 24)
    with PackReader(tmp_path / "packs") as reader:
        stats = set_stats(reader)
    assert stats.single_group_packs < 0.01
    assert len(stats.groups) == 10
    noise = np.mean([group.noise**2 for group in stats.groups]) ** 0.5
    independent = np.mean([group.independent_noise**2 for group in stats.groups]) ** 0.5
    assert noise < 1.2 * independent


def test_overlong_samples_are_cut_rejected_or_an_error(tmp_path, run):
    long = caption(1, text="one word after another " * 100)
    path = write_lines(tmp_path / "a.jsonl", [long, caption(2)])
    run(path, tmp_path / "cut", max_len=256, overlong="truncate")
    samples = {s.id: s for packed in PackReader(tmp_path / "cut") for s in packed.data}
    assert samples["caption/1"].token_limit == 256
    assert samples["caption/2"].token_limit is None
    assert samples["caption/1"].texts == (long["content"][1]["text"],)
    assert verify_packs(tmp_path / "cut", deep=True).problems == []
    with pytest.raises(SampleError, match=r"a\.jsonl: record at byte 0: \d+ tokens"):
        run(path, tmp_path / "error", max_len=256, overlong="error")


def test_too_many_rejects_fail_the_run_and_keep_the_good_data(tmp_path, run):
    path = write_lines(tmp_path / "a.jsonl", [caption(1), b"no json", caption(2)])
    with pytest.raises(RejectRateError, match="1 of 3 samples rejected") as failure:
        run(path, tmp_path / "packs")
    assert failure.value.report.samples_packed == 2
    assert len(PackReader(tmp_path / "packs")) == 1


def test_strict_stops_at_the_first_reject(tmp_path, run):
    path = write_lines(tmp_path / "a.jsonl", [caption(1), b"no json"])
    with pytest.raises(SampleError, match=r"invalid_json: a\.jsonl: record at byte"):
        run(path, tmp_path / "packs", strict=True)
    assert not (tmp_path / "packs" / "manifest.json").exists()


def test_repeated_ids_are_counted_or_rejected(tmp_path, run):
    records = [caption(1), caption(2), caption(1), caption(1)]
    path = write_lines(tmp_path / "a.jsonl", records)
    assert run(path, tmp_path / "kept").duplicate_ids == 2
    report = run(path, tmp_path / "unique", unique_ids=True, max_reject_rate=1)
    assert report.samples_packed == 2
    assert [r["position"] for r in rejects_of(tmp_path / "unique")] == [2, 3]
    assert {r["reason"] for r in rejects_of(tmp_path / "unique")} == {"duplicate_id"}
    assert verify_packs(tmp_path / "unique").problems == []


def test_limits_on_images_and_samples_hold(tmp_path, run):
    path = write_lines(tmp_path / "a.jsonl", map(caption, range(40)))
    run(path, tmp_path / "packs", max_images=3, max_samples=2, max_len=2048)
    sizes = [len(packed.data) for packed in PackReader(tmp_path / "packs")]
    assert max(sizes) == 2
    assert sum(sizes) == 40


def test_samples_and_streams_are_inputs_too(tmp_path, run):
    samples = [Sample.from_dict(caption(i)) for i in range(9)]
    run(samples, tmp_path / "samples")
    lines = b"".join(orjson.dumps(caption(i)) + b"\n" for i in range(9))
    run(io.BytesIO(lines), tmp_path / "stream")
    first, second = (set_bytes(tmp_path / name) for name in ("samples", "stream"))
    assert first["shard-00000.jsonl"] == second["shard-00000.jsonl"]


def test_packs_can_be_packed_again(tmp_path, run):
    path = write_lines(tmp_path / "a.jsonl", map(caption, range(50)))
    run(path, tmp_path / "once")
    report = run(tmp_path / "once", tmp_path / "again", max_len=512)
    assert report.samples_packed == 50
    before, after = (
        sorted(
            (s.id, s.content, s.images)
            for packed in PackReader(tmp_path / name)
            for s in packed.data
        )
        for name in ("once", "again")
    )
    assert before == after


def test_folder_with_other_contents_is_refused(tmp_path, run):
    path = write_lines(tmp_path / "a.jsonl", map(caption, range(5)))
    out = tmp_path / "packs"
    run(path, out)
    with pytest.raises(OutputExistsError, match=r"options.seed was 0, now 3\); overwrite replaces"):
        run(path, out, seed=3)
    run(path, out, overwrite=True, seed=3)
    assert verify_packs(out).problems == []
    foreign = tmp_path / "home"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("precious")
    with pytest.raises(OutputExistsError, match="files that no pack set has"):
        run(path, foreign)
    assert (foreign / "thesis.tex").read_text() == "precious"


def test_one_packer_a_folder(tmp_path, run):
    path = write_lines(tmp_path / "a.jsonl", map(caption, range(5)))
    with WorkFolder(tmp_path / "packs"), pytest.raises(LockedError, match="lock of pack set"):
        run(path, tmp_path / "packs")
    assert run(path, tmp_path / "packs").samples_packed == 5


def test_input_that_changes_between_the_passes_is_an_error(tmp_path, run):
    path = write_lines(tmp_path / "a.jsonl", map(caption, range(20)))

    def meddle(phase, done, total):
        if phase == "write" and done == 0:
            with open(path, "r+b") as file:
                file.write(b'{"id": "caption/X')
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    times = os.stat(path)
    with pytest.raises(SourceChangedError, match=r"a\.jsonl: changed.*record at byte 0 differs"):
        run(path, tmp_path / "packs", on_progress=meddle)
    assert not (tmp_path / "packs" / "manifest.json").exists()


def test_untrainable_turns_are_rejected(tmp_path, run):
    asks = Sample(messages=(Message("user", ("Which plane?",)),))
    answered = Sample(messages=(Message("user", ("Plane?",)), Message("assistant", ("Axial.",))))
    report = run([asks, answered], tmp_path / "packs", max_reject_rate=1)
    assert (report.samples_packed, report.samples_rejected) == (1, 1)


def test_no_input_is_an_error(tmp_path, run):
    with pytest.raises(InputError, match="no such file"):
        run(tmp_path / "none.jsonl", tmp_path / "packs")


def count_files(folder):
    return sum(len(files) for _, _, files in os.walk(folder))


def test_killed_run_ends_byte_identical(tmp_path, tiny_tokenizer):
    data = tmp_path / "data"
    for part in range(4):
        write_lines(data / f"{part}.jsonl", [caption(part * 150 + i) for i in range(150)])
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_bytes(orjson.dumps(tiny_tokenizer))
    config = PackConfig(tokenizer=str(tokenizer), shard_size=30_000, max_len=1024)

    def start(out):
        process = get_context("forkserver").Process(target=pack, args=(data, out, config))
        process.start()
        return process

    def wait(process):
        process.join()
        return process.exitcode

    assert wait(start(tmp_path / "whole")) == 0
    whole = set_bytes(tmp_path / "whole")
    out = tmp_path / "killed"
    kills = 0
    for attempt in range(200):
        # Somewhere else every time: while spans are measured, shards written, the set committed.
        wanted = count_files(out) + 2 + attempt % 5 * 4
        process = start(out)
        while process.is_alive() and count_files(out) < wanted:
            time.sleep(0.001)
        process.kill()
        if wait(process) == 0:
            break
        kills += 1
    assert kills >= 3
    assert set_bytes(out) == whole
    assert verify_packs(out).problems == []


class Table:
    """A data set as Hugging Face's ``datasets`` gives its rows, which is not installed here."""

    def __init__(self, rows):
        self._table = pa.Table.from_pylist(rows)

    def with_format(self, type):
        assert type == "arrow"
        return self

    def iter(self, batch_size):
        for start in range(0, len(self._table), batch_size):
            yield self._table.slice(start, batch_size)


def table_rows(count):
    return [
        {
            "id": str(number),
            "images": [{"bytes": png(number), "path": None}],
            "messages": [
                {"role": "user", "content": f"<image>What is {number}?"},
                {"role": "assistant", "content": "A heart."},
            ],
        }
        for number in range(count)
    ]


def test_a_data_set_in_memory_is_packed_like_its_rows(tmp_path, quick_run):
    rows = table_rows(150)
    report = quick_run(Table(rows), tmp_path / "packs", seed=3)
    assert (report.samples_read, report.samples_packed) == (150, 150)
    samples = {
        sample.id: sample for packed in PackReader(tmp_path / "packs") for sample in packed.data
    }
    for row in rows:
        sample = samples[row["id"]]
        assert sample.texts == (f"What is {row['id']}?", "A heart.")
        assert sample.messages[0].content[0] is None
        assert [sample.image_bytes(0)] == [image["bytes"] for image in row["images"]]
    assert quick_run(Table(rows), tmp_path / "packs", seed=3).was_complete
    with pytest.raises(OutputExistsError):
        quick_run(Table(rows[1:]), tmp_path / "packs", seed=3)
