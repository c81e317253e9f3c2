"""Sources: staged where they cannot be read by offset, and unchanged while they are read."""

import gzip
import json
import os

import pytest
from written_sources import (
    CAPTION,
    LLAVA,
    PACK,
    compressed,
    lines,
    parquet_of,
    read,
    tar_of,
)

from packkit.base.errors import FormatError, SourceChangedError
from packkit.sources import find_inputs, open_source
from packkit.sources import source as source_module

# Staging


@pytest.mark.parametrize("ending", ["gz", "bz2", "zst", "lz4"])
@pytest.mark.parametrize("upper", [False, True])
def test_compressed_files_read_as_plain_ones(opened, ending, upper):
    records = [CAPTION | {"n": number} for number in range(5000)]
    suffix = ending.upper() if upper else ending
    source = opened(f"a.jsonl.{suffix}", compressed(ending, lines(*records)))
    assert (source.name, source.container) == (f"a.jsonl.{suffix}", "jsonl")
    assert read(source) == records
    assert source.size == os.stat(source.path).st_size == len(lines(*records))


def test_a_compressed_tar(opened):
    source = opened("a.tar.gz", gzip.compress(tar_of(a_txt=b"x")))
    assert (source.container, source.layout) == ("tar", "webdataset")
    assert read(source)[0]["txt"] == "x"


def test_a_compressed_array_and_pack(opened):
    assert opened("a.json.gz", gzip.compress(json.dumps([LLAVA]).encode())).layout == "llava"
    assert opened("b.json.zst", compressed("zst", lines(PACK))).container == "pack-file"


def test_a_compressed_parquet_is_staged_twice(opened):
    source = opened("a.parquet.gz", gzip.compress(parquet_of(image=["a.jpg"], text=["x"])))
    assert read(source) == [CAPTION]


@pytest.mark.parametrize("ending", ["gz", "bz2", "zst", "lz4"])
def test_several_streams_in_one_file(opened, ending):
    data = compressed(ending, lines(CAPTION)) + compressed(ending, lines(CAPTION))
    assert read(opened(f"a.jsonl.{ending}", data)) == [CAPTION, CAPTION]


@pytest.mark.parametrize("ending", ["gz", "bz2", "zst", "lz4"])
@pytest.mark.parametrize("damage", ["cut", "half", "tail", "plain", "empty"])
def test_compressed_files_that_are_broken(tmp_path, opened, ending, damage):
    whole = compressed(ending, lines(*[CAPTION | {"n": number} for number in range(500)]))
    data = {
        "cut": whole[:-3],
        "half": whole[: len(whole) // 2],
        "tail": whole + b"more",
        "plain": lines(CAPTION),
        "empty": b"",
    }[damage]
    with pytest.raises(FormatError, match=rf"a\.jsonl\.{ending}: cannot be decompressed"):
        opened(f"a.jsonl.{ending}", data)
    # What is half written never gets the name of what is whole.
    assert {path.suffix for path in (tmp_path / "staged").iterdir()} == {".tmp"}


def test_files_that_differ_only_in_compression_are_staged_apart(tmp_path, opened):
    for ending, text in (("gz", "one"), ("zst", "two")):
        opened(f"a.jsonl.{ending}", compressed(ending, lines(CAPTION | {"text": text})))
    files = find_inputs([tmp_path / "in"])
    sources = [open_source(file, staging=tmp_path / "staged") for file in files]
    assert [read(source)[0]["text"] for source in sources] == ["one", "two"]


def test_equal_names_in_two_folders_are_staged_apart(tmp_path, opened):
    for folder in ("x", "y"):
        opened(f"{folder}/a.jsonl.gz", gzip.compress(lines(CAPTION | {"text": folder})))
    files = find_inputs([tmp_path / "in"])
    sources = [open_source(file, staging=tmp_path / "other") for file in files]
    assert [read(source)[0]["text"] for source in sources] == ["x", "y"]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.jsonl.gz", gzip.compress(lines(CAPTION))),
        ("a.parquet", parquet_of(image=["a.jpg"], text=["x"])),
    ],
    ids=["gzip", "parquet"],
)
def test_a_staged_copy_is_used_again_and_half_of_one_is_not(opened, monkeypatch, name, data):
    first = opened(name, data)
    stamp = os.stat(first.path)
    with open(first.path + ".tmp", "wb") as half:
        half.write(b"what a killed run left" * 1000)
    with monkeypatch.context() as patch:
        patch.setattr(source_module, "decompressed", lambda _: pytest.fail("staged again"))
        patch.setattr("packkit.sources.containers.parquet._lines", lambda _: pytest.fail("again"))
        again = opened(name, data)
    assert again == first
    assert os.stat(again.path).st_mtime_ns == stamp.st_mtime_ns
    os.remove(first.path)
    assert read(opened(name, data)) == [CAPTION]
    assert not os.path.exists(first.path + ".tmp")


def test_a_broken_parquet_is_an_error(opened):
    with pytest.raises(FormatError, match=r"a\.parquet: not a readable Parquet file"):
        opened("a.parquet", b"PAR1 but not really PAR1")


# What a source is


def test_plain_files_are_read_where_they_stand(tmp_path, opened):
    source = opened("a.jsonl", lines(CAPTION))
    path = tmp_path / "in" / "a.jsonl"
    assert source.path == str(path)
    assert (source.size, source.mtime_ns) == (path.stat().st_size, path.stat().st_mtime_ns)
    assert not (tmp_path / "staged").exists()


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.parquet"])
def test_image_paths_start_at_the_folder_of_the_input(tmp_path, opened, monkeypatch, name):
    data = lines(CAPTION) if "jsonl" in name else parquet_of(image=["a.jpg"], text=["x"])
    data = gzip.compress(data) if name.endswith("gz") else data
    assert opened(name, data).root == str(tmp_path / "in")
    assert opened(name, data, data_root=tmp_path).root == str(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert opened(name, data, data_root="in/..").root == str(tmp_path / "in/..")


def test_a_source_that_changed(tmp_path, opened):
    path = tmp_path / "in" / "a.jsonl"
    source = opened("a.jsonl", lines(CAPTION))
    source.check_unchanged()
    os.utime(path, ns=(0, source.mtime_ns + 1))
    with pytest.raises(SourceChangedError, match=r"a\.jsonl: .*its modification time differs"):
        source.check_unchanged()
    os.utime(path, ns=(0, source.mtime_ns))
    source.check_unchanged()
    with open(path, "ab") as file:
        file.write(b"\n")
    message = rf"{source.size} bytes became {source.size + 1}; run again"
    with pytest.raises(SourceChangedError, match=message):
        source.check_unchanged()
    path.unlink()
    with pytest.raises(SourceChangedError, match="No such file or directory"):
        source.check_unchanged()
