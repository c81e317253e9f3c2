"""What a manifest names belongs to its set, and nothing else is removed."""

import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit.base.errors import OutputExistsError
from packkit.samples import Pack, Sample
from packkit.shards import Manifest, PackWriter
from packkit.shards.set_files import SetFiles, is_intact, remove_pack_folder

STORAGES = pytest.mark.parametrize("storage", ["shards", "files"])


@pytest.fixture
def packs(tmp_path, storage):
    with PackWriter(tmp_path / "packs", shard_size=1, storage=storage) as writer:
        for number in range(2):
            writer.write(Pack((Sample(content=(f"text {number}",)),), (3,)))
    return tmp_path / "packs"


def names(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@STORAGES
def test_a_set_is_its_own_files_and_its_removal_leaves_an_empty_folder(packs):
    files = SetFiles.of_manifest(packs)
    assert all(name in files for name in names(packs))
    files.remove(packs)
    assert list(packs.iterdir()) == []


PARTS = ["..", "", ".", "a", "encoder", "shard-00000", "shard-00000.jsonl", "pack-00000000.json"]


@settings(max_examples=200)
@given(st.lists(st.sampled_from([*PARTS, "shard-00000.tmp", "x.tar", "run.json.tmp"]), max_size=3))
def test_other_names_do_not_belong(parts):
    name = "/".join(parts)
    whole = SetFiles(("shard-00000",), True, ("encoder/tokenizer.json",), is_whole=True)
    expected = {"encoder/", "shard-00000/", "shard-00000/pack-00000000.json"}
    assert (name in whole) is (name in expected)


@STORAGES
@pytest.mark.parametrize("other", ["a", "shard-00000/a", "shard-00000.tar", "encoder/a", "b/c/"])
def test_one_other_file_stops_the_removal_of_all(packs, other):
    (packs / other).parent.mkdir(exist_ok=True)
    (packs / other).mkdir() if other.endswith("/") else (packs / other).touch()
    before = names(packs)
    with pytest.raises(OutputExistsError, match=f"holds {other}, which its manifest.json does not"):
        SetFiles.of_manifest(packs).remove(packs)
    assert names(packs) == before


@STORAGES
def test_a_shard_is_intact_only_as_it_was_written(packs, storage):
    is_folder = storage == "files"
    entry = Manifest.read(packs).shards[0]
    assert is_intact(packs, entry, is_folder=is_folder)
    for path in sorted(path for path in packs.rglob("*") if "00000." in str(path)):
        if path.is_file():
            data = path.read_bytes()
            for changed in (data[:-1], data + b"x", bytes([data[0] ^ 1]) + data[1:], b""):
                path.write_bytes(changed)
                assert not is_intact(packs, entry, is_folder=is_folder)
            path.unlink()
            assert not is_intact(packs, entry, is_folder=is_folder)
            path.write_bytes(data)
    assert is_intact(packs, entry, is_folder=is_folder)


def test_a_folder_of_packs_is_removed_with_packs_alone(tmp_path):
    for extra in (None, "notes.txt"):
        (tmp_path / "shard").mkdir()
        (tmp_path / "shard" / "pack-00000001.json").touch()
        if extra is None:
            remove_pack_folder(tmp_path / "shard")
            assert not (tmp_path / "shard").exists()
    (tmp_path / "shard" / "notes.txt").touch()
    with pytest.raises(OSError, match="not empty"):
        remove_pack_folder(tmp_path / "shard")
    assert names(tmp_path) == {"shard/notes.txt"}
    (tmp_path / "link").symlink_to(tmp_path / "shard")
    remove_pack_folder(tmp_path / "link")
    assert names(tmp_path) >= {"shard/notes.txt"}
    shutil.rmtree(tmp_path / "shard")
    remove_pack_folder(tmp_path / "none")
