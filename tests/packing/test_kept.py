"""A run takes from an earlier one what it would come to itself, and nothing else."""

import gzip
import os
import shutil

import orjson
import pytest
from packing_inputs import caption, png, set_bytes, write_lines

from packkit.base.errors import OutputExistsError, SampleError, SourceChangedError
from packkit.packing.config import DECIDING
from packkit.shards import verify_packs


class Stopped(Exception):
    """Somebody pulled the plug."""


@pytest.fixture
def stopped(quick_run):
    """Runs a job and stops it before its third shard; by default everything is measured."""

    def start(data, out, *, before=("write", 2), **options):
        def stop(phase, done, total):
            if (phase, done) == before:
                raise Stopped

        with pytest.raises(Stopped):
            quick_run(data, out, workers=1, on_progress=stop, **options)

    return start


def write_data(folder, image="here.png"):
    """Records in two files; every tenth of the first has a path to an image."""
    records = [caption(number) for number in range(40)]
    records[::10] = [caption(i, images=[{"path": image}]) for i in range(0, 40, 10)]
    write_lines(folder / "a.jsonl", records)
    write_lines(folder / "b.jsonl", [caption(number) for number in range(40, 80)])
    return folder


# Another value of each option that decides, which these data can bear.
CHANGES = {
    "max_len": 2000,
    "image_tokens": 9,
    "template": "chatml",
    "layout": "canonical",
    "columns": {"text": "caption"},
    "image_suffix": ".png",
    "ignore": ("video",),
    "storage": "files",
    "shard_size": 30_000,
    "algorithm": "fill",
    "max_images": 2,
    "max_samples": 2,
    "overlong": "truncate",
    "seed": 1,
    "max_pixels": 10_000,
    "check_images": True,
    "unique_ids": True,
    "allow_truncated": True,
    "data_root": "/",
}


def test_every_deciding_option_is_tried():
    assert {*CHANGES} == DECIDING | {"data_root"}


def test_deciding_options_are_another_job(tmp_path, quick_run, stopped):
    data, out = write_data(tmp_path / "data"), tmp_path / "packs"
    (data / "here.png").write_bytes(png(1))
    stopped(data, out)
    for name, value in CHANGES.items():
        with pytest.raises(OutputExistsError, match=name):
            quick_run(data, out, **{name: value})
    assert quick_run(data, out).samples_packed == 80


@pytest.mark.parametrize(
    "options", [{"workers": 3}, {"max_reject_rate": 1}, {"strict": True}, {"overwrite": True}]
)
def test_passing_options_go_on_and_end_with_the_same_bytes(tmp_path, quick_run, stopped, options):
    data, out = write_data(tmp_path / "data"), tmp_path / "packs"
    (data / "here.png").write_bytes(png(1))
    stopped(data, out)
    inode = (out / "shard-00000.jsonl").stat().st_ino
    quick_run(data, out, **options)
    quick_run(data, tmp_path / "fresh")
    assert set_bytes(out) == set_bytes(tmp_path / "fresh")
    assert (out / "shard-00000.jsonl").stat().st_ino == inode


@pytest.mark.parametrize("before", [("measure", 1), ("measure", 2), ("write", 1)])
def test_a_strict_run_after_a_lax_one_ends_as_a_fresh_one(tmp_path, quick_run, stopped, before):
    records = [caption(number) for number in range(30)] + [b"no json", b"nor this"]
    write_lines(tmp_path / "data" / "a.jsonl", records)
    write_lines(tmp_path / "data" / "b.jsonl", [b"no json either", *map(caption, range(40))])
    stopped(tmp_path / "data", tmp_path / "packs", before=before, max_reject_rate=1)
    messages = []
    for out in ("packs", "fresh"):
        with pytest.raises(SampleError) as caught:
            quick_run(tmp_path / "data", tmp_path / out, strict=True)
        messages.append(str(caught.value))
    assert messages[0] == messages[1] and "a.jsonl: record at byte" in messages[0]


def test_images_that_came_meanwhile_are_no_rejects(tmp_path, quick_run, stopped):
    data, out = write_data(tmp_path / "data"), tmp_path / "packs"
    stopped(data, out, max_reject_rate=1)
    (data / "here.png").write_bytes(png(1))
    assert quick_run(data, out).samples_rejected == 0
    quick_run(data, tmp_path / "fresh")
    assert set_bytes(out) == set_bytes(tmp_path / "fresh")


def test_the_same_files_beside_other_images_are_another_job(tmp_path, quick_run, stopped):
    wrong, out = write_data(tmp_path / "wrong"), tmp_path / "packs"
    stopped(wrong, out, max_reject_rate=1)
    shutil.copytree(wrong, right := tmp_path / "right")
    (right / "here.png").write_bytes(png(1))
    with pytest.raises(OutputExistsError, match=r"data_root was '.*wrong', now '.*right'"):
        quick_run(right, out)
    assert quick_run(right, out, overwrite=True).samples_rejected == 0


def test_a_changed_image_ends_one_run_and_not_the_next(tmp_path, quick_run, stopped):
    data, out = write_data(tmp_path / "data"), tmp_path / "packs"
    (data / "here.png").write_bytes(png(1))
    stopped(data, out, before=("write", 0))
    (data / "here.png").write_bytes(png(2, 30, 30))
    with pytest.raises(SourceChangedError, match=r"here\.png"):
        quick_run(data, out)
    quick_run(data, out)
    quick_run(data, tmp_path / "fresh")
    assert set_bytes(out) == set_bytes(tmp_path / "fresh")


def remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def flip(path):
    path = next(path.iterdir()) if path.is_dir() else path
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [remove, flip])
@pytest.mark.parametrize("storage", ["shards", "files"])
@pytest.mark.parametrize("ending", ["packs", "index"])
def test_shards_that_are_not_what_was_written_are_written_again(
    tmp_path, quick_run, stopped, damage, storage, ending
):
    data, out = write_lines(tmp_path / "a.jsonl", map(caption, range(80))), tmp_path / "packs"
    stopped(data, out, storage=storage)
    names = {
        ("shards", "packs"): "shard-00001.jsonl",
        ("shards", "index"): "shard-00001.index.arrow",
        ("files", "packs"): "shard-00001",
        ("files", "index"): "shard-00001/packs.index.arrow",
    }
    damage(out / names[storage, ending])
    report = quick_run(data, out, storage=storage)
    assert report.redone == ["shard-00001"]
    assert orjson.loads(orjson.dumps(report.to_dict()))["redone"] == ["shard-00001"]
    quick_run(data, tmp_path / "fresh", storage=storage)
    assert set_bytes(out) == set_bytes(tmp_path / "fresh")
    assert verify_packs(out).problems == []


def test_flips_in_kept_results_are_never_silent(tmp_path, quick_run, stopped):
    rows, data, out = [caption(number) for number in range(30)], tmp_path / "data", tmp_path / "out"
    write_lines(data / "a.jsonl", [*rows, b"no json"])
    # What is compressed is staged.
    (data / "b.jsonl.gz").write_bytes(
        gzip.compress(b"".join(orjson.dumps(r) + b"\n" for r in rows))
    )
    options = {"max_reject_rate": 1}
    stopped(data, out, **options)
    shutil.copytree(out, kept := tmp_path / "kept")
    quick_run(data, tmp_path / "fresh", **options)
    whole = set_bytes(tmp_path / "fresh")
    paths = sorted(path.relative_to(kept) for path in (kept / ".work").rglob("*.*"))
    assert {path.parts[1] for path in paths} >= {"measured", "shards", "staged", "run.json"}
    for path in paths:
        if (kept / path).is_file():
            shutil.rmtree(out)
            shutil.copytree(kept, out)
            flip(out / path)
            try:
                assert quick_run(data, out, **options).redone
            except OutputExistsError as error:
                assert path.name == "run.json" and ".work/run.json is damaged" in str(error)
                quick_run(data, out, overwrite=True, **options)
            assert set_bytes(out) == whole
    assert os.listdir(tmp_path / "out")
