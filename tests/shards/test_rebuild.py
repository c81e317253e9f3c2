"""An index made from packs alone is the one that their writer made."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit.base.errors import FormatError
from packkit.shards import PackReader, ShardIndex, rebuild_index, verify_packs

_STORAGES = ["shards", "files"]


def remove_indexes(folder):
    """Removes every index under a folder and returns them by path."""
    indexes = {path: path.read_bytes() for path in folder.rglob("*.index.arrow")}
    for path in indexes:
        path.unlink()
    return indexes


@settings(max_examples=80, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("storage", _STORAGES)
def test_it_is_byte_identical_for_any_packs(
    tmp_path_factory, random_packs, write_set, storage, data
):
    out = tmp_path_factory.mktemp("set")
    write_set(out, data.draw(random_packs), storage=storage)
    indexes = remove_indexes(out)
    written = rebuild_index(out)
    assert {path: path.read_bytes() for path in written} == indexes


@pytest.mark.parametrize("storage", _STORAGES)
def test_it_counts_image_tokens_with_the_encoder_of_the_set(
    tmp_path, some_packs, small_encoder, write_set, storage
):
    out = tmp_path / "packs"
    write_set(out, some_packs, storage=storage, encoder=small_encoder)
    indexes = remove_indexes(out)
    assert {path: path.read_bytes() for path in rebuild_index(out)} == indexes
    with PackReader(out) as reader:
        tokens = [value for i in range(3) for value in reader.index(i).image.tokens.tolist()]
    assert set(tokens) == {0, 9}
    assert tokens.count(0) == len(some_packs[5].data)


def test_a_bare_file_gets_the_index_beside_it(whole_set):
    path = whole_set.path / "shard-00001.jsonl"
    stored = remove_indexes(whole_set.path)[path.with_suffix(".index.arrow")]
    assert rebuild_index(path, encoder=whole_set.encoder) == [path.with_suffix(".index.arrow")]
    assert path.with_suffix(".index.arrow").read_bytes() == stored
    assert list(whole_set.path.glob("*.index.arrow")) == [path.with_suffix(".index.arrow")]


def test_foreign_packs_get_one_index_for_the_folder(foreign_folder, images, read_all):
    before = read_all(foreign_folder)
    (path,) = rebuild_index(foreign_folder)
    assert path == foreign_folder / "packs.index.arrow"
    index = ShardIndex.open(path)
    assert index.files.to_pylist() == [
        "tar0/0f3a_packed.json",
        "tar0/2f3a_packed.json",
        "tar1/1f3a_packed.json",
        "tar1/3f3a_packed.json",
    ]
    assert set(index.image.tokens.tolist()) == {-1}
    assert (index.image.width[-1], index.image.height[-1]) == (30, 40)
    with PackReader(foreign_folder) as reader:
        assert list(reader) == before
        assert reader.image(3, 3, 0) == images[3]
    assert verify_packs(foreign_folder).problems == []


def test_a_damaged_shard_gets_no_index_that_the_set_would_take(whole_set):
    path = whole_set.path / "shard-00001.jsonl"
    path.write_bytes(path.read_bytes().replace(b"none", b"nine", 1))
    rebuild_index(whole_set.path)
    with PackReader(whole_set.path) as reader:
        assert reader[0] == whole_set.packs[0]
        with pytest.raises(FormatError, match=r"shard-00001\.index\.arrow"):
            reader[5]


def test_a_damaged_bare_index_never_changes_what_is_read(tmp_path, some_packs):
    path = tmp_path / "packs.jsonl"
    path.write_bytes(b"".join(orjson.dumps(pack.to_dict()) + b"\n" for pack in some_packs[:3]))
    (index,) = rebuild_index(path)
    whole = index.read_bytes()
    for position in range(0, len(whole), 5):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        index.write_bytes(damaged)
        try:
            with PackReader(path) as reader:
                packs = list(reader)
        except FormatError:
            continue
        assert packs == some_packs[: len(packs)]
