"""Where the packs of a set stand, and what is no set."""

import os

import pytest

from packkit.base.errors import FormatError
from packkit.shards import MANIFEST, PackReader
from packkit.shards.locate import locate


@pytest.mark.parametrize("storage", ["shards", "files"])
def test_the_shards_of_a_set_are_those_of_its_manifest(tmp_path, some_packs, write_set, storage):
    written = write_set(tmp_path, some_packs, storage=storage)
    shards, manifest = locate(tmp_path)
    assert manifest == written
    ending = ".jsonl" if storage == "shards" else ""
    names = [f"shard-0000{number}{ending}" for number in range(3)]
    assert [shard.name for shard in shards] == names
    for shard, entry in zip(shards, written.shards, strict=True):
        assert shard.index_checksum == entry.index_checksum
        assert shard.path.is_dir() == shard.is_folder == (storage == "files")
        assert shard.index_path.is_file()
    # An index that the manifest vouches for must be there, or reading fails.
    shards[0].index_path.unlink()
    assert shards[0].has_index


def test_a_bare_file_has_an_index_that_is_not_older_than_its_packs(whole_set):
    path = whole_set.path / "shard-00000.jsonl"
    (shard,), manifest = locate(path)
    assert (manifest, shard.index_checksum) == (None, None)
    assert shard.has_index
    later = shard.index_path.stat().st_mtime_ns + 1
    os.utime(path, ns=(later, later))
    assert not shard.has_index
    shard.index_path.unlink()
    assert not shard.has_index


def test_a_foreign_folder_is_one_shard_of_files_in_order(foreign_folder):
    (shard,), manifest = locate(foreign_folder)
    assert manifest is None
    assert shard.is_folder and not shard.has_index
    files = shard.pack_files()
    assert files == sorted(files)
    assert [(foreign_folder / file).is_file() for file in files] == [True] * 4
    assert shard.place(1, files[1]) == f"{foreign_folder.name}/{files[1]}"


def test_a_pack_is_called_by_its_shard_and_number(whole_set):
    shards, _ = locate(whole_set.path)
    assert shards[1].place(2, None) == "shard-00001.jsonl: pack 2"


@pytest.mark.parametrize("name", ["nothing", "empty", "text.jsonl"])
def test_what_holds_no_packs_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.jsonl").write_text("hello\n")
    with pytest.raises(FormatError, match=name):
        PackReader(tmp_path / name)


def test_a_set_without_its_manifest_is_not_read_as_something_else(whole_set):
    (whole_set.path / MANIFEST).unlink()
    with pytest.raises(FormatError, match=r"manifest\.json"):
        PackReader(whole_set.path)


def test_a_shard_changed_since_its_bare_index_was_made_is_noticed(whole_set, read_all):
    path = whole_set.path / "shard-00000.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[::-1]))
    os.utime(path, ns=(0, path.with_suffix(".index.arrow").stat().st_mtime_ns + 10**9))
    assert read_all(path) == whole_set.packs[4::-1]
