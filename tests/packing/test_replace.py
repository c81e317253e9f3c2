"""At every moment the output holds the old set or the new one; a kill leaves nothing for ever."""

import os
import shutil
import signal
from pathlib import Path

import pytest
from packing_inputs import caption, set_bytes, write_lines

from packkit.base.errors import (
    LockedError,
    OutputExistsError,
    PackkitError,
    RejectRateError,
    SampleError,
    SourceChangedError,
)
from packkit.packing import replace
from packkit.packing.replace import Output
from packkit.packing.workfolder import WorkFolder
from packkit.samples import Pack, Sample
from packkit.shards import PackWriter, verify_packs
from packkit.shards.manifest import with_checksum


def make_set(folder, text, storage="shards"):
    """A whole set of three shards, as a run leaves it."""
    with PackWriter(folder, shard_size=1, storage=storage) as writer:
        for number in range(3):
            writer.write(Pack((Sample(content=(f"{text} {number}",)),), (5,)))
    (folder / "run.json").write_bytes(with_checksum({"job": {"makes": text}}))
    return folder


def content(folder):
    """Every file below a folder, the state of a run left out."""
    paths = (path for path in folder.rglob("*") if path.is_file() and ".work" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def run(out, new):
    """What an overwriting run does: writes the set and puts it in its place."""
    with Output(out, overwrite=True) as output, WorkFolder(output.folder) as work:
        if not work.begin({"makes": "new"}, overwrite=True):
            for path in sorted(new.rglob("*"), key=lambda path: path.name == "manifest.json"):
                if path.is_file():
                    target = work.out / path.relative_to(new)
                    target.parent.mkdir(exist_ok=True)
                    shutil.copy(path, target)
        if output.is_beside:
            output.take_place(work)
        work.remove()


@pytest.fixture
def sets(tmp_path):
    """An old set at its place, and a new one elsewhere."""
    return two_sets(tmp_path, "shards")


def two_sets(folder, storage):
    (folder / "parent").mkdir()
    old, new = folder / "parent" / "packs", folder / "new"
    return make_set(old, "old", storage), make_set(new, "new", storage)


def killed_at(step, function, *arguments):
    """Calls a function in a process of its own that is killed before a call; whether it was."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    calls = iter(range(step + 1))

    def counted(original):
        def call(*args, **kwargs):
            if next(calls) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*args, **kwargs)

        return call

    for name in ("rename", "unlink", "rmdir", "fsync", "mkdir"):
        setattr(os, name, counted(getattr(os, name)))
    try:
        function(*arguments)
    finally:
        os._exit(0)


def without_exchange(monkeypatch):
    """A file system that cannot exchange two names."""
    monkeypatch.setattr(replace, "_RENAME_EXCHANGE", 1 << 20)


@pytest.mark.parametrize(("storage", "has_exchange"), [("shards", True), ("files", False)])
def test_a_kill_at_any_step_leaves_one_whole_set_and_the_next_run_ends(
    tmp_path, monkeypatch, storage, has_exchange
):
    old, new = two_sets(tmp_path, storage)
    if not has_exchange:
        without_exchange(monkeypatch)
    shutil.copytree(old, kept := tmp_path / "kept")
    before, after, step = content(old), content(new), 0
    while killed_at(step, run, old, new):
        place = old if old.exists() else old.with_name(".packs.old")
        assert has_exchange is False or place == old
        assert content(place) in (before, after)
        if step % 2:
            # Any run finishes what was begun, before it looks at the output.
            with Output(old, overwrite=False) as output:
                assert output.folder == old and content(old) in (before, after)
        run(old, new)
        assert content(old) == after
        assert os.listdir(old.parent) == ["packs"] and not (old / ".work").exists()
        shutil.rmtree(old)
        shutil.copytree(kept, old)
        step += 1
    assert step > 20
    assert content(old) == after and os.listdir(old.parent) == ["packs"]
    assert verify_packs(old).problems == []


FOREIGN = [
    "thesis.tex",
    "encoder/model.safetensors",
    "shard-00003.jsonl",
    "shard-00000.tar",
    "shard-notes/a.txt",
    "packs/deep/er.txt",
]


@pytest.mark.parametrize("foreign", FOREIGN)
def test_a_set_with_other_files_is_not_replaced(sets, foreign):
    old, new = sets
    (old / foreign).parent.mkdir(parents=True, exist_ok=True)
    (old / foreign).write_text("precious")
    before = content(old)
    with pytest.raises(OutputExistsError, match=f"holds {foreign}, which its manifest.json does"):
        run(old, new)
    assert content(old) == before and os.listdir(old.parent) == ["packs"]


@pytest.mark.parametrize("name", ["encoder", "shard-00009", "shard-00000"])
def test_links_are_never_followed(sets, tmp_path, name):
    old, new = sets
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "tokenizer.json").write_text("precious")
    (old / name).symlink_to(outside)
    with pytest.raises(OutputExistsError, match=f"holds {name}, which"):
        run(old, new)
    assert (outside / "tokenizer.json").read_text() == "precious"


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "encoder/../../outside"])
def test_a_forged_manifest_leads_nowhere(sets, name):
    old, _ = sets
    outside = old.parent / "outside"
    outside.write_text("precious")
    files = replace.SetFiles(("../outside", "/x"), False, (name,), is_whole=True)
    with pytest.raises(OutputExistsError, match="holds shard-00000"):
        files.remove(old)
    assert outside.read_text() == "precious"


def test_a_file_that_comes_while_the_new_set_is_made_stays(sets):
    old, new = sets
    with (
        pytest.raises(OutputExistsError, match=r"holds late\.txt"),
        Output(old, overwrite=True) as output,
        WorkFolder(output.folder) as work,
    ):
        work.begin({"makes": "new"}, overwrite=True)
        shutil.copytree(new, work.out, dirs_exist_ok=True)
        (old / "late.txt").write_text("precious")
        output.take_place(work)
    # The new set waits, and takes its place once nothing hinders it.
    (old / "late.txt").unlink()
    run(old, new)
    assert content(old) == content(new) and os.listdir(old.parent) == ["packs"]


@pytest.mark.parametrize("manifest", [b"", b"{}", b'{"format": "packkit", "format_version": 1}'])
def test_a_set_whose_manifest_cannot_be_read_stays(sets, manifest):
    old, new = sets
    (old / "manifest.json").write_bytes(manifest)
    before = content(old)
    with pytest.raises(OutputExistsError, match="cannot be replaced, for nothing says which"):
        run(old, new)
    assert content(old) == before


def test_a_link_is_resolved_first(sets, tmp_path):
    old, new = sets
    link = tmp_path / "link"
    link.symlink_to(old)
    run(link, new)
    assert link.is_symlink() and content(old) == content(new)
    assert sorted(os.listdir(tmp_path)) == ["link", "new", "parent"]


def test_what_no_killed_run_left_is_in_the_way(sets):
    old, new = sets
    other = make_set(old.with_name(".packs.new"), "other")
    before = content(other)
    with pytest.raises(OutputExistsError, match=r"\.packs\.new: is in the way"):
        run(old, new)
    with Output(old, overwrite=False):
        pass
    assert content(other) == before


def test_mount_points_and_folders_that_cannot_be_written_are_refused_at_once(sets, monkeypatch):
    old, new = sets
    with monkeypatch.context() as patch, pytest.raises(OutputExistsError, match="mount point"):
        patch.setattr(os.path, "ismount", lambda path: True)
        run(old, new)
    with monkeypatch.context() as patch, pytest.raises(OutputExistsError, match="be written"):
        patch.setattr(os, "access", lambda path, mode: False)
        run(old, new)
    assert os.listdir(old.parent) == ["packs"]
    assert replace._is_mount_point(Path("/proc")) and not replace._is_mount_point(old)


def test_a_removal_that_was_killed_never_passes_for_a_whole_set(sets):
    old, _ = sets
    for step in range(100):
        if not killed_at(step, replace.SetFiles.of_manifest(old).remove, old):
            break
        if "run.json" in content(old):
            assert len(content(old)) == 9
    assert content(old) == {}


def test_one_run_replaces_at_a_time(sets):
    old, new = sets
    with Output(old, overwrite=True), pytest.raises(LockedError):
        run(old, new)
    run(old, new)


def test_without_a_set_the_run_writes_into_the_output_itself(tmp_path):
    for name in ("missing", "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with Output(tmp_path / name, overwrite=True) as output:
            assert not output.is_beside and output.folder == tmp_path / name
    assert os.listdir(tmp_path) == ["empty"]


@pytest.mark.parametrize(
    ("record", "options", "error"),
    [
        ({"unknown": "layout"}, {}, PackkitError),
        (b"", {}, PackkitError),
        (b"no json", {"strict": True}, SampleError),
        (caption(0, text="long " * 900), {"overlong": "error", "max_len": 64}, SampleError),
    ],
)
def test_inputs_that_are_refused_leave_the_old_set_and_nothing_else(
    tmp_path, quick_run, record, options, error
):
    parent = tmp_path / "parent"
    good = [caption(number) for number in range(30)]
    quick_run(write_lines(tmp_path / "good.jsonl", good), parent / "packs")
    before = content(parent)
    # Spans that are fine come first, so that there is something to keep.
    write_lines(tmp_path / "data" / "a.jsonl", good)
    name = "b.jsonl" if record else "b.jsonl.gz"
    bad = write_lines(tmp_path / "data" / name, [record] if record else [])
    inputs = [bad] if isinstance(record, dict) else tmp_path / "data"
    with pytest.raises(error):
        quick_run(inputs, parent / "packs", overwrite=True, workers=1, **options)
    assert content(parent) == before and os.listdir(parent) == ["packs"]
    assert not (parent / "packs" / ".work").exists()


def test_a_set_of_too_many_rejects_waits_for_a_higher_limit(tmp_path, quick_run):
    out = tmp_path / "parent" / "packs"
    quick_run(write_lines(tmp_path / "good.jsonl", [caption(1)]), out)
    before = content(out)
    bad = write_lines(tmp_path / "bad.jsonl", [caption(2), b"no json"])
    for _ in range(2):
        with pytest.raises(RejectRateError, match=r"\.packs\.new/rejects\.jsonl"):
            quick_run(bad, out, overwrite=True)
        assert content(out) == before
    assert quick_run(bad, out, overwrite=True, max_reject_rate=1).was_complete
    assert content(out) != before and os.listdir(out.parent) == ["packs"]


class Stopped(Exception):
    """Somebody pulled the plug."""


def test_an_overwriting_run_that_was_stopped_goes_on(tmp_path, quick_run):
    data, out = write_lines(tmp_path / "a.jsonl", map(caption, range(80))), tmp_path / "p" / "packs"
    quick_run(data, out, seed=1)
    before = content(out)

    def stop(phase, done, total):
        if (phase, done) == ("write", 2):
            raise Stopped

    with pytest.raises(Stopped):
        quick_run(data, out, overwrite=True, workers=1, on_progress=stop)
    assert content(out) == before and (out.parent / ".packs.new" / "shard-00000.jsonl").exists()
    # A run that overwrites nothing is the old job, and leaves both alone.
    assert quick_run(data, out, seed=1).was_complete
    written = (out.parent / ".packs.new" / "shard-00000.jsonl").stat().st_ino
    quick_run(data, out, overwrite=True)
    assert (out / "shard-00000.jsonl").stat().st_ino == written
    quick_run(data, tmp_path / "fresh")
    assert set_bytes(out) == set_bytes(tmp_path / "fresh") and os.listdir(out.parent) == ["packs"]


def test_an_input_that_changes_leaves_the_old_set(tmp_path, quick_run):
    data, out = write_lines(tmp_path / "a.jsonl", map(caption, range(20))), tmp_path / "p" / "packs"
    quick_run(data, out)
    before = content(out)

    def meddle(phase, done, total):
        if (phase, done) == ("write", 0):
            write_lines(data, [caption(1)])

    with pytest.raises(SourceChangedError):
        quick_run(data, out, overwrite=True, on_progress=meddle)
    assert content(out) == before and os.listdir(out.parent) == ["packs"]


@pytest.mark.parametrize("content", [b"", b"packkit repl"])
def test_a_lock_without_its_mark_gives_nobody_s_folder_away(tmp_path, content):
    old, _ = two_sets(tmp_path, "shards")
    stranger = shutil.copytree(old, old.with_name(f".{old.name}.old"))
    old.with_name(f".{old.name}.lock").write_bytes(content)
    with pytest.raises(OutputExistsError, match="is in the way of the new set"):
        Output(old, overwrite=True)
    assert verify_packs(stranger).problems == []


def test_a_lock_that_is_none_is_refused_and_stays(tmp_path):
    old, _ = two_sets(tmp_path, "shards")
    lock = old.with_name(f".{old.name}.lock")
    lock.write_text("my notes")
    for overwrite in (False, True):
        with pytest.raises(OutputExistsError, match="is in the way of the lock"):
            Output(old, overwrite=overwrite)
    assert lock.read_text() == "my notes"
