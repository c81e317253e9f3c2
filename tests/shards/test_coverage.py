"""An index that misses packs is refused, and the message says how to make it again."""

import pytest

from packkit.base.errors import FormatError
from packkit.shards import PackReader, rebuild_index, verify_packs


def copy_of_a_pack(folder):
    (old, *_) = sorted(folder.rglob("*_packed.json"))
    new = folder / "tar9" / "late_packed.json"
    new.parent.mkdir()
    new.write_bytes(old.read_bytes())
    return new


@pytest.mark.parametrize("opened", [PackReader, verify_packs])
def test_files_added_to_a_folder_after_its_index_are_named(foreign_folder, opened):
    rebuild_index(foreign_folder)
    assert len(PackReader(foreign_folder)) == 4
    new = copy_of_a_pack(foreign_folder)
    with pytest.raises(
        FormatError, match=r"misses 1 files, first tar9/late_packed\.json"
    ) as caught:
        opened(foreign_folder)
    assert f"packkit index {foreign_folder}" in str(caught.value)
    rebuild_index(foreign_folder)
    assert len(PackReader(foreign_folder)) == 5
    new.unlink()
    with pytest.raises(FormatError, match="has packs of 1 files that are gone, first tar9/late"):
        opened(foreign_folder)


def test_packs_added_to_a_file_after_its_index_are_noticed(whole_set):
    # With an index that looks as new as the file, as after a copy.
    lines = (whole_set.path / "shard-00000.jsonl").read_bytes()
    path = whole_set.path.parent / "bare.jsonl"
    path.write_bytes(lines + b"\n\n")
    rebuild_index(path)
    assert len(PackReader(path)) == 5
    index = path.with_suffix(".index.arrow")
    path.write_bytes(lines + lines)
    index.touch()
    with pytest.raises(FormatError, match=rf"misses the packs after byte {len(lines) - 1} of bare"):
        PackReader(path)
    rebuild_index(path)
    assert len(PackReader(path)) == 10


def test_the_index_of_other_packs_is_refused(whole_set, foreign_folder):
    (index,) = rebuild_index(foreign_folder)
    path = whole_set.path / "shard-00000.jsonl"
    bare = whole_set.path.parent / "bare.jsonl"
    bare.write_bytes(path.read_bytes())
    bare.with_suffix(".index.arrow").write_bytes(index.read_bytes())
    with pytest.raises(FormatError, match=r"of a folder of files, bare\.jsonl is none"):
        PackReader(bare)
    index.write_bytes((whole_set.path / "shard-00000.index.arrow").read_bytes())
    with pytest.raises(FormatError, match="is the index of one file, open-qwen2vl is none"):
        PackReader(foreign_folder)
