import json
import os
import random
from pathlib import Path

import pytest

from packkit.base.errors import InputError
from packkit.sources.compression import inner_name
from packkit.sources.discover import find_inputs


@pytest.fixture
def tree(tmp_path):
    """Makes files of these names, in whatever order."""

    def make(*names):
        for name in random.sample(names, len(names)):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return make


def names(*inputs):
    return [file.name for file in find_inputs(inputs)]


def test_a_file(tree):
    path = tree("a.jsonl") / "a.jsonl"
    assert find_inputs([path]) == find_inputs([str(path)]) == [("a.jsonl", path)]


def test_a_file_named_by_hand_may_have_any_ending(tree):
    assert names(tree("a.txt") / "a.txt") == ["a.txt"]


def test_files_keep_the_order_in_which_they_are_given(tree):
    folder = tree("b.jsonl", "a.jsonl", "x/c.jsonl")
    paths = [folder / name for name in ("x/c.jsonl", "b.jsonl", "a.jsonl")]
    assert names(*paths) == ["x/c.jsonl", "b.jsonl", "a.jsonl"]


def test_names_are_below_the_shared_folder(tree):
    folder = tree("one/a.jsonl", "two/deep/a.jsonl")
    assert names(folder / "one/a.jsonl", folder / "two/deep") == ["one/a.jsonl", "two/deep/a.jsonl"]
    assert names(folder / "one") == ["a.jsonl"]


def test_relative_paths(tree, monkeypatch):
    folder = tree("one/a.jsonl", "two/b.jsonl")
    monkeypatch.chdir(folder / "one")
    assert find_inputs(["a.jsonl", "../two/./b.jsonl"]) == [
        ("one/a.jsonl", folder / "one/a.jsonl"),
        ("two/b.jsonl", folder / "two/b.jsonl"),
    ]


def test_a_folder_gives_its_data_files_in_sorted_order(tree):
    folder = tree(
        *(
            "b.jsonl",
            "a.json",
            "c.parquet",
            "c.csv",
            "z.tar",
            "B.NDJSON",
            "d.tar.gz",
            "e.jsonl.ZST",
        ),
        *("sub/a.jsonl", "sub/deep/a.jsonl", "picture.jpg", "notes.txt", "x.zip", "y.gz"),
        *(".hidden.jsonl", ".cache/a.jsonl", "sub/.git/a.json"),
    )
    assert names(folder) == [
        "B.NDJSON",
        "a.json",
        "b.jsonl",
        "c.csv",
        "c.parquet",
        "d.tar.gz",
        "e.jsonl.ZST",
        "sub/a.jsonl",
        "sub/deep/a.jsonl",
        "z.tar",
    ]


def test_text_files_are_inputs_only_where_they_are_named(tree):
    folder = tree("README.txt", "LICENSE.TXT", "sub/pairs.txt", "sub/more.txt.gz", "a.jsonl")
    assert names(folder) == ["a.jsonl"]
    assert names(folder / "sub/pairs.txt", folder / "a.jsonl") == ["sub/pairs.txt", "a.jsonl"]
    assert names(folder / "sub/*.txt*") == ["more.txt.gz", "pairs.txt"]
    with pytest.raises(InputError, match="holds no file with a known ending"):
        find_inputs([folder / "sub"])


def test_order_does_not_depend_on_that_of_the_disk(tmp_path, monkeypatch):
    for number in range(20):
        (tmp_path / f"{number}.jsonl").touch()
    expected = names(tmp_path)
    assert expected == sorted(expected)
    original = Path.iterdir
    monkeypatch.setattr(
        Path, "iterdir", lambda self: iter(random.sample(paths := list(original(self)), len(paths)))
    )
    assert names(tmp_path) == expected


def test_links_are_followed(tree):
    folder = tree("real/a.jsonl", "data/b.jsonl", "one.jsonl")
    (folder / "data/linked").symlink_to("../real")
    (folder / "data/file.jsonl").symlink_to("../one.jsonl")
    assert names(folder / "data") == ["b.jsonl", "file.jsonl", "linked/a.jsonl"]


def test_a_link_to_a_folder_above_is_an_error(tree):
    folder = tree("data/a.jsonl", "data/deep/b.jsonl")
    (folder / "data/deep/loop").symlink_to("..")
    with pytest.raises(InputError, match="loop is a link to a folder that it stands in"):
        find_inputs([folder])


@pytest.mark.parametrize("by_folder", [True, False])
def test_a_link_to_nothing_is_an_error(tmp_path, by_folder):
    (tmp_path / "gone.jsonl").symlink_to("nowhere")
    with pytest.raises(InputError, match=r"gone\.jsonl is neither a file nor a folder"):
        find_inputs([tmp_path if by_folder else tmp_path / "gone.jsonl"])


def test_a_pipe_is_an_error_and_no_wait(tmp_path):
    os.mkfifo(tmp_path / "pipe.jsonl")
    for item in (tmp_path, tmp_path / "pipe.jsonl", tmp_path / "*.jsonl"):
        with pytest.raises(InputError, match=r"pipe\.jsonl is neither a file nor a folder"):
            find_inputs([item])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_must_not_be_read_is_an_error(tree):
    folder = tree("data/a.jsonl", "data/closed/b.jsonl")
    (folder / "data/closed").chmod(0)
    try:
        with pytest.raises(InputError, match="closed: Permission denied"):
            find_inputs([folder])
    finally:
        (folder / "data/closed").chmod(0o755)


def test_globs(tree):
    folder = tree("a-2.jsonl", "a-1.jsonl", "b.jsonl", "a-3.txt", "a-4.jsonl/x.jsonl")
    assert names(folder / "a-?.jsonl") == ["a-1.jsonl", "a-2.jsonl"]
    assert names(folder / "a-*") == ["a-1.jsonl", "a-2.jsonl", "a-3.txt"]
    assert names(folder / "**/*.jsonl") == [
        "a-1.jsonl",
        "a-2.jsonl",
        "a-4.jsonl/x.jsonl",
        "b.jsonl",
    ]


def test_a_name_with_glob_characters_that_is_there_is_itself(tree):
    assert names(tree("a[1].jsonl", "a1.jsonl") / "a[1].jsonl") == ["a[1].jsonl"]


def test_inputs_that_name_nothing(tree):
    folder = tree("sub/deep/notes.txt")
    with pytest.raises(InputError, match=r"nowhere\.jsonl: no such file or folder"):
        find_inputs([folder / "nowhere.jsonl"])
    with pytest.raises(InputError, match=r"\*\.jsonl matches no file"):
        find_inputs([folder / "*.jsonl"])
    with pytest.raises(InputError, match=r"s\*b matches no file"):
        find_inputs([folder / "s*b"])
    with pytest.raises(InputError, match="holds no file with a known ending"):
        find_inputs([folder])


@pytest.mark.parametrize("second", ["a.jsonl", ".", "*.jsonl", "sub/../a.jsonl"])
def test_a_file_named_twice_is_an_error(tree, second):
    folder = tree("a.jsonl", "sub/b.jsonl")
    with pytest.raises(InputError, match=r"a\.jsonl is named 2 times"):
        find_inputs([folder / "a.jsonl", os.path.join(folder, second)])


def write_manifest(folder, *shards):
    """Describes a pack set whose shards have the sizes that they have."""
    entries = []
    for name in shards:
        packs = [*folder.glob(f"{name}.jsonl"), *folder.glob(f"{name}/pack-*.json")]
        entries.append({"name": name, "bytes": sum(path.stat().st_size for path in packs)})
    text = json.dumps({"format": "packkit", "shards": entries})
    (folder / "manifest.json").write_text(text)


def test_a_pack_set_gives_its_shards_alone(tree):
    folder = tree(
        *("packs/manifest.json", "packs/run.json", "packs/rejects.jsonl"),
        *("packs/shard-00001.jsonl", "packs/shard-00000.jsonl", "packs/shard-00000.index.arrow"),
        *("packs/encoder/tokenizer.json", "packs/encoder/encoder.json"),
        "a.jsonl",
    )
    write_manifest(folder / "packs", "shard-00000", "shard-00001")
    assert names(folder / "packs") == ["shard-00000.jsonl", "shard-00001.jsonl"]
    assert names(folder) == ["a.jsonl", "packs/shard-00000.jsonl", "packs/shard-00001.jsonl"]


def test_a_pack_set_of_files(tree):
    folder = tree(
        *("manifest.json", "run.json", "encoder/tokenizer.json", "shard-00000/packs.index.arrow"),
        *("shard-00001/pack-00000002.json", "shard-00000/pack-00000000.json"),
    )
    write_manifest(folder, "shard-00000", "shard-00001")
    assert names(folder) == ["shard-00000/pack-00000000.json", "shard-00001/pack-00000002.json"]


def test_a_manifest_of_something_else_is_a_file_like_others(tree):
    assert names(tree("manifest.json", "a.jsonl")) == ["a.jsonl", "manifest.json"]


def test_counts_beside_the_packs_of_open_qwen2vl_are_left_out(tree):
    folder = tree(
        *("one/b_packed.json", "one/a_packed.json", "one/00000_stats.json"),
        *("two/00000_stats.json", "00001.tar_stats.json"),
    )
    assert names(folder / "one") == ["a_packed.json", "b_packed.json"]
    assert names(folder / "two") == ["00000_stats.json"]


def test_a_name_that_is_no_utf8_is_an_error(tmp_path):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jsonl")).touch()
    with pytest.raises(InputError, match="names of input files must be UTF-8"):
        find_inputs([tmp_path])


def test_unicode_names(tree):
    assert names(tree("片 ü.jsonl")) == ["片 ü.jsonl"]


def test_no_inputs():
    assert find_inputs([]) == []


@pytest.mark.parametrize(
    ("name", "inner"),
    [
        ("a.jsonl", "a.jsonl"),
        ("a.jsonl.gz", "a.jsonl"),
        ("a.tar.ZST", "a.tar"),
        ("a.bz2", "a"),
        ("a.lz4.gz", "a.lz4"),
        (".gz", ".gz"),
        ("x.gz/a", "x.gz/a"),
    ],
)
def test_inner_name(name, inner):
    assert inner_name(name) == inner


def test_a_folder_around_the_output_stands_for_all_the_rest(tmp_path):
    out = tmp_path / "data" / "packs"
    for path in (tmp_path / "data" / "a.jsonl", out / "shard-00000.jsonl", out / "b.jsonl"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert [file.name for file in find_inputs([tmp_path / "data"], apart_from=out)] == ["a.jsonl"]
    # An output that is not there yet, or is called by another name, is the same.
    assert len(find_inputs([tmp_path / "data"], apart_from=tmp_path / "none")) == 3
    link = tmp_path / "link"
    link.symlink_to(out)
    assert [file.name for file in find_inputs([tmp_path / "data"], apart_from=link)] == ["a.jsonl"]


@pytest.mark.parametrize(
    "item", ["out", "out/a.tar", "out/*.tar", "out/sub", "link.tar", "folder", "*/a.tar"]
)
def test_inputs_in_the_output_are_refused(tmp_path, item):
    for name in ("out/a.tar", "out/sub/b.tar", "elsewhere/a.tar"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link.tar").symlink_to(tmp_path / "out" / "a.tar")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "links").symlink_to(tmp_path / "out" / "sub")
    with pytest.raises(InputError, match=r"is an input and (lies in )?the output folder"):
        find_inputs([str(tmp_path / item)], apart_from=tmp_path / "out")
    assert find_inputs([str(tmp_path / item)], apart_from=tmp_path / "elsewhere" / "sub")


def test_any_other_manifest_json_hides_no_input(tmp_path):
    for name in ("shard-a.jsonl", "part-b.jsonl"):
        (tmp_path / name).write_text("{}\n")
    for text in ("{}", "[]", "no json", '{"format": "other", "shards": []}'):
        (tmp_path / "manifest.json").write_text(text)
        names = {file.name for file in find_inputs([tmp_path])}
        assert names >= {"shard-a.jsonl", "part-b.jsonl"}


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"")])
def test_a_set_that_lacks_a_shard_is_refused_as_an_input(tmp_path, damage):
    (tmp_path / "shard-00000.jsonl").write_bytes(b"{}\n")
    write_manifest(tmp_path, "shard-00000")
    assert [file.name for file in find_inputs([tmp_path])] == ["shard-00000.jsonl"]
    damage(tmp_path / "shard-00000.jsonl")
    with pytest.raises(InputError, match="damaged pack set: shard-00000 has 0 bytes, 3 in its"):
        find_inputs([tmp_path])


@pytest.mark.parametrize("entry", [5, {}, {"name": "../x", "bytes": 1}, {"name": "shard-0"}])
def test_a_manifest_that_names_no_shards_is_refused(tmp_path, entry):
    (tmp_path / "manifest.json").write_text(json.dumps({"format": "packkit", "shards": [entry]}))
    with pytest.raises(InputError, match="its manifest names no shards"):
        find_inputs([tmp_path])


def saved_dataset(folder, tables=("data-00000-of-00002.arrow", "data-00001-of-00002.arrow")):
    """A folder as ``save_to_disk`` of Hugging Face's datasets writes it."""
    folder.mkdir(parents=True)
    state = {"_data_files": [{"filename": name} for name in tables], "_fingerprint": "x"}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text("{}")
    for name in (*tables, "cache-abc.arrow"):
        (folder / name).write_bytes(b"")
    return folder


def test_of_a_saved_data_set_its_tables_are_read_in_order(tmp_path):
    folder = saved_dataset(tmp_path / "saved", ["data-2.arrow", "data-1.arrow"])
    assert [file.name for file in find_inputs([folder])] == ["data-2.arrow", "data-1.arrow"]
    os.remove(folder / "data-1.arrow")
    with pytest.raises(InputError, match=r"saved is a damaged data set: data-1\.arrow is missing"):
        find_inputs([folder])


def test_of_saved_splits_each_is_read(tmp_path):
    saved_dataset(tmp_path / "all" / "train")
    saved_dataset(tmp_path / "all" / "test", ["data-00000-of-00001.arrow"])
    (tmp_path / "all" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    assert [file.name for file in find_inputs([tmp_path / "all"])] == [
        "test/data-00000-of-00001.arrow",
        "train/data-00000-of-00002.arrow",
        "train/data-00001-of-00002.arrow",
    ]


def test_a_state_of_something_else_is_data(tmp_path):
    (tmp_path / "state.json").write_text('[{"image": "a.jpg", "text": "x"}]')
    assert [file.name for file in find_inputs([tmp_path])] == ["state.json"]
