import bz2
import gzip
import io
import json
import os
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from packkit.base.errors import FormatError, InputError, SampleError, SourceChangedError
from packkit.sources import container_named, find_inputs, open_source
from packkit.sources import source as source_module

CAPTION = {"image": "a.jpg", "text": "x"}
LLAVA = {"image": "a.jpg", "conversations": [{"from": "gpt", "value": "x"}]}
CANONICAL = {"content": "x"}
PACK = {"data": [CANONICAL, CANONICAL], "lengths": [3, 4]}
DOCUMENT = {"texts": ["x"], "image_info": [None]}


@pytest.fixture
def opened(tmp_path):
    """Writes a file and opens it as a source."""

    def write_and_open(name, data, **options):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        (file,) = find_inputs([path])
        return open_source(file, staging=tmp_path / "staged", **options)

    return write_and_open


def read(source):
    """The fields of all records of a source."""
    container, path = container_named(source.container), Path(source.path)
    return [r.fields for span in container.split(path) for r in container.scan(path, span)]


def lines(*records):
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def tar_of(**members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name.replace("_", "."))
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def parquet_of(**columns):
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


# Which container


JSON_FILES = {
    "array": (json.dumps([LLAVA, LLAVA]).encode(), "json-array", 2),
    "indented array": (json.dumps([LLAVA, LLAVA], indent=2).encode(), "json-array", 2),
    "empty array": (b"[]", "json-array", 0),
    "object": (json.dumps(CANONICAL).encode(), "json-object", 1),
    "indented object": (json.dumps(CANONICAL, indent=2).encode(), "json-object", 1),
    "object of objects": (b'{"a": {"b": 1}\n,"content": "x"\n}', "json-object", 1),
    "lines": (lines(CANONICAL, CANONICAL, CANONICAL), "jsonl", 3),
    "lines with blanks": (b"\n" + lines(CANONICAL) + b" \n\n" + lines(CANONICAL), "jsonl", 2),
    "first line broken": (b'{"content": "\xff"}\n' + lines(CANONICAL), "jsonl", 2),
    "pack": (json.dumps(PACK).encode(), "pack-file", 2),
    "indented pack": (json.dumps(PACK, indent=2).encode(), "pack-file", 2),
    "pack, lengths first": (b'{ "lengths" :[1],"data":[{"content":"x"}]}', "pack-file", 1),
    "packs": (lines(PACK, PACK), "pack-lines", 4),
    "splits": (json.dumps({"train": [LLAVA], "val": [LLAVA]}).encode(), "json-splits", 2),
    "indented splits": (json.dumps({"test": [LLAVA, LLAVA]}, indent=2).encode(), "json-splits", 2),
    "domains": (json.dumps({"chest_xray": [LLAVA], "mri": []}).encode(), "llava-med-domains", 1),
    "a split that is no list": (b'{"train": {}, "content": "x"}', "json-object", 1),
    "nothing": (b"", "json-object", 1),
    "no JSON": (b"junk", "json-object", 1),
}


@pytest.mark.parametrize("name", JSON_FILES)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "bom"])
@pytest.mark.parametrize("space", [b"", b" \n\t"], ids=["", "space"])
@pytest.mark.parametrize("windows", [False, True], ids=["", "crlf"])
def test_files_called_json(opened, name, mark, space, windows):
    data, container, count = JSON_FILES[name]
    text = mark + space + data
    source = opened("a.json", text.replace(b"\n", b"\r\n") if windows else text)
    assert source.container == container
    assert len(read(source)) == count


@pytest.mark.parametrize(
    ("data", "container"),
    [
        (lines(CANONICAL), "jsonl"),
        (b"\xef\xbb\xbf\r\n" + lines(CANONICAL), "jsonl"),
        (lines(PACK), "pack-lines"),
        (lines(PACK)[:30], "pack-lines"),
        (b"", "jsonl"),
        (b"junk\n" + lines(CANONICAL), "jsonl"),
        (json.dumps([LLAVA]).encode(), "json-array"),
    ],
)
@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "A.JSONL"])
def test_files_called_json_lines(opened, data, container, name):
    assert opened(name, data).container == container


@pytest.mark.parametrize(
    ("data", "container"), [(b"[", "json-array"), (b'{"train": [', "json-splits")]
)
def test_the_only_line_of_an_array_is_not_read_to_tell_what_it_is(
    tmp_path, monkeypatch, data, container
):
    path = tmp_path / "a.json"
    path.write_bytes(data + b" " * 100)
    monkeypatch.setattr(source_module, "read_lines", lambda *_: pytest.fail("read"))
    assert source_module._tell_json(path, is_lines=False) == container


def test_other_endings(opened):
    assert opened("a.tar", tar_of(a_txt=b"x")).container == "tar"
    assert opened("a.parquet", parquet_of(image=["a"], text=["b"])).container == "parquet"
    assert opened("a.csv", b"image,text\na.jpg,x\n").container == "csv"
    assert opened("a.txt", b"a|which?|that\n").container == "pipe-lines"
    message = r"a\.tsv: unknown ending; packkit reads \.csv, \.json, \.jsonl"
    with pytest.raises(InputError, match=message):
        opened("a.tsv", b"x\ty")
    with pytest.raises(InputError, match=r"a\.tsv\.gz: unknown ending"):
        opened("a.tsv.gz", gzip.compress(b"x\ty"))


# Which layout


@pytest.mark.parametrize(
    ("record", "layout"),
    [
        (CANONICAL, "packkit"),
        ({"messages": []}, "packkit"),
        (LLAVA, "llava"),
        (CAPTION, "caption"),
        ({"image": "a", "question": "b", "answer": "c", "caption": "d"}, "vqa"),
        (DOCUMENT, "open-qwen2vl"),
    ],
)
def test_layout_by_the_first_record(opened, record, layout):
    assert opened("a.jsonl", lines(record)).layout == layout


def test_layouts_of_tars(opened):
    assert opened("a.tar", tar_of(a_jpg=b"x", a_txt=b"y")).layout == "webdataset"
    assert opened("b.tar", tar_of(a_json=json.dumps(DOCUMENT).encode())).layout == "open-qwen2vl"
    assert opened("c.tar", tar_of(a_json=json.dumps(LLAVA).encode())).layout == "llava"


def test_layout_by_the_first_record_that_can_be_read(opened, monkeypatch):
    monkeypatch.setattr("packkit.sources.containers.json_lines.SPAN_BYTES", 100)
    assert opened("a.jsonl", b"junk\n" * 1000 + lines(LLAVA)).layout == "llava"


@pytest.mark.parametrize("data", [b"", b"junk\n", b"[1]\n{"])
@pytest.mark.parametrize("columns", [{}, {"text": "report"}])
def test_a_file_of_which_nothing_can_be_read_has_a_layout_all_the_same(opened, data, columns):
    source = opened("a.jsonl", data, columns=columns)
    assert all(isinstance(fields, SampleError) for fields in read(source))


def test_every_file_has_a_layout_of_its_own(tmp_path, opened):
    for name, record in (("a.jsonl", LLAVA), ("b.jsonl", CAPTION), ("c.jsonl", CANONICAL)):
        opened(name, lines(record))
    files = find_inputs([tmp_path / "in"])
    layouts = [open_source(file, staging=tmp_path / "staged").layout for file in files]
    assert layouts == ["llava", "caption", "packkit"]


def test_keys_that_two_layouts_know(opened):
    message = r"a\.jsonl: could be caption or packkit \(keys: content, image, text\); say --layout"
    with pytest.raises(InputError, match=message):
        opened("a.jsonl", lines({**CAPTION, "content": "x"}))
    assert opened("a.jsonl", lines({**CAPTION, "content": "x"}), layout="packkit").layout


def test_keys_that_no_layout_knows(opened):
    message = r"a\.jsonl: no known layout has the keys a, b; name the fields with --layout"
    with pytest.raises(InputError, match=message):
        opened("a.jsonl", lines({"b": 1, "a": 2}))


def test_columns(opened):
    record = {"scan": "a.jpg", "report": "x"}
    columns = {"image": "scan", "text": "report"}
    assert opened("a.jsonl", lines(record), columns=columns).layout == "caption"
    assert opened("a.jsonl", lines(record), layout="caption", columns=columns).layout == "caption"
    with pytest.raises(InputError, match="no known layout has the keys report, scan"):
        opened("a.jsonl", lines(record), columns={"text": "report"})
    with pytest.raises(InputError, match="no layout has the columns nonsense"):
        opened("a.jsonl", lines(record), columns={"nonsense": "report"})
    with pytest.raises(InputError, match="layout llava has no column 'text'"):
        opened("a.jsonl", lines(LLAVA), layout="llava", columns={"text": "report"})
    with pytest.raises(InputError, match="no layout 'nonsense' is installed"):
        opened("a.jsonl", lines(record), layout="nonsense")


# Staging


def compressed(ending, data):
    match ending:
        case "gz":
            return gzip.compress(data)
        case "bz2":
            return bz2.compress(data)
    return pa.compress(data, {"zst": "zstd", "lz4": "lz4"}[ending], asbytes=True)


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
        patch.setattr(source_module, "_decompressed", lambda _: pytest.fail("staged again"))
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
