"""A shard is whole under its name, or has no name."""

import builtins
import errno
import hashlib
import os

import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit.base import files
from packkit.base.errors import FormatError, InputError, SampleError
from packkit.samples import Pack, Sample
from packkit.shards import PackReader, ShardWriter
from packkit.shards.index import ShardIndex
from packkit.shards.locate import index_path

_STORAGES = ["shards", "files"]


class Killed(BaseException):
    """Stands for a signal that nothing catches."""


@pytest.fixture
def write_shard(some_packs, measured):
    def write(folder, storage):
        with ShardWriter(folder, "shard-00000", storage=storage, first_pack=40) as writer:
            for pack in some_packs[:3]:
                writer.write(measured(pack))
            return writer.commit()

    return write


def contents(folder):
    """Returns every file under a folder by its name."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("storage", _STORAGES)
def test_the_entry_says_what_is_on_disk(tmp_path, write_shard, some_packs, storage):
    entry = write_shard(tmp_path, storage)
    shard = tmp_path / ("shard-00000" if storage == "files" else "shard-00000.jsonl")
    parts = sorted(shard.glob("*.json")) if storage == "files" else [shard]
    data = b"".join(path.read_bytes() for path in parts)
    index = index_path(shard, is_folder=storage == "files").read_bytes()
    samples = [sample for pack in some_packs[:3] for sample in pack.data]
    assert entry.name == "shard-00000"
    assert entry.packs == 3
    assert entry.samples == len(samples)
    assert entry.images == sum(len(sample.images) for sample in samples)
    assert entry.tokens == sum(pack.tokens for pack in some_packs[:3])
    assert entry.bytes == len(data)
    assert entry.sha256 == hashlib.sha256(data).hexdigest()
    assert entry.index_checksum == xxhash.xxh3_64_hexdigest(index)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_both_storages_hold_the_same_texts(tmp_path_factory, random_packs, measured, data):
    packs = data.draw(random_packs)
    folder = tmp_path_factory.mktemp("storages")
    for storage in _STORAGES:
        with ShardWriter(folder, "shard-00000", storage=storage, first_pack=7) as writer:
            for pack in packs:
                writer.write(measured(pack))
            writer.commit()
    lines = (folder / "shard-00000.jsonl").read_bytes().split(b"\n")[:-1]
    files = {path.name: path.read_bytes() for path in (folder / "shard-00000").glob("*.json")}
    assert files == {f"pack-{7 + number:08d}.json": line for number, line in enumerate(lines)}
    in_shard = ShardIndex.open(folder / "shard-00000.index.arrow")
    in_files = ShardIndex.open(folder / "shard-00000" / "packs.index.arrow")
    for number in range(len(packs)):
        line_row, file_row = in_shard.row(number), in_files.row(number)
        assert line_row.samples == file_row.samples
        start = line_row.pack.offset
        assert line_row.pack._replace(offset=0) == file_row.pack
        relative = [image._replace(offset=image.offset - start) for image in line_row.images]
        assert relative == list(file_row.images)


@pytest.mark.parametrize("storage", _STORAGES)
def test_an_error_leaves_nothing(tmp_path, some_packs, measured, storage):
    unreadable = Sample(content=("text",), meta={"pixels": b""})
    with (
        pytest.raises(SampleError),
        ShardWriter(tmp_path, "shard-00000", storage=storage) as writer,
    ):
        writer.write(measured(some_packs[0]))
        writer.write(measured(Pack((unreadable,), (1,))))
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("storage", _STORAGES)
def test_what_is_not_committed_is_abandoned(tmp_path, some_packs, measured, storage):
    with ShardWriter(tmp_path, "shard-00000", storage=storage) as writer:
        writer.write(measured(some_packs[0]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("storage", _STORAGES)
@pytest.mark.parametrize("failure", [OSError, Killed])
# A killed process closes no file.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_whatever_step_fails_no_half_shard_has_a_name(
    tmp_path, monkeypatch, write_shard, storage, failure
):
    whole = tmp_path / "whole"
    write_shard(whole, storage)
    step = 0
    while True:
        out = tmp_path / f"step-{step}"
        with monkeypatch.context() as patch:
            calls = fail_at(patch, step, failure)
            if failure is Killed:
                # No clean-up runs when a process is killed.
                patch.setattr(ShardWriter, "abandon", lambda self: None)
            try:
                write_shard(out, storage)
            except failure:
                pass
            else:
                break
        assert len(calls) == step + 1
        left = contents(out)
        named = {name: data for name, data in left.items() if ".tmp" not in name}
        # Whatever has its name is what an undisturbed run writes, and the packs come last.
        assert named.items() <= contents(whole).items()
        if any(name.endswith((".jsonl", ".json")) for name in named):
            assert named == contents(whole)
        if failure is OSError:
            assert named == left
        # The next run is not hindered by what was left.
        write_shard(out, storage)
        assert contents(out) == contents(whole)
        step += 1
    assert step > 5


def fail_at(patch, step, failure):
    """Makes the given call, counted over all that reach the disk, fail before it acts."""
    calls = []

    def counted(name, function):
        def call(*args, **kwargs):
            if name == "open" and "r" in (args[1] if len(args) > 1 else "r"):
                return function(*args, **kwargs)
            calls.append(name)
            if len(calls) == step + 1:
                raise failure(name)
            return function(*args, **kwargs)

        return call

    for name in ("fsync", "rename", "replace"):
        patch.setattr(os, name, counted(name, getattr(os, name)))
    patch.setattr(builtins, "open", counted("open", open))
    patch.setattr(files, "sync_folder", counted("sync_folder", files.sync_folder))
    return calls


@pytest.mark.parametrize("storage", _STORAGES)
def test_what_a_killed_run_left_does_not_read_as_a_set(tmp_path, write_shard, storage):
    write_shard(tmp_path, storage)
    with pytest.raises(FormatError, match=r"manifest\.json"):
        PackReader(tmp_path)


def test_storages_that_do_not_exist_are_refused(tmp_path):
    with pytest.raises(InputError, match="storage must be one of shards, files, got 'tar'"):
        ShardWriter(tmp_path, "shard-00000", storage="tar")


@pytest.mark.parametrize("field", ["image_sizes", "image_tokens"])
def test_measurements_must_fit_the_images(tmp_path, some_packs, measured, field):
    items = measured(some_packs[0])
    items[0] = items[0]._replace(**{field: []})
    with ShardWriter(tmp_path, "shard-00000") as writer, pytest.raises(ValueError, match="zip"):
        writer.write(items)


@pytest.mark.parametrize("storage", _STORAGES)
def test_a_full_disk_is_named_and_leaves_no_shard(
    tmp_path, monkeypatch, some_packs, measured, storage
):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(OSError, match=rf"Errno 28.*: '{tmp_path}/shard-00000.*'$"),
        ShardWriter(tmp_path, "shard-00000", storage=storage) as writer,
    ):
        writer.write(measured(some_packs[0]))
        writer.commit()
    assert contents(tmp_path) == {}
