"""Container and layout of a file, told by its ending, its first bytes and its first record."""

import gzip
import json

import pytest
from written_sources import (
    CANONICAL,
    CAPTION,
    DOCUMENT,
    LLAVA,
    PACK,
    lines,
    parquet_of,
    read,
    tar_of,
)

from packkit.base.errors import FormatError, InputError, SampleError
from packkit.sources import detect, find_inputs, open_source

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
    "a title before": (
        json.dumps({"version": 1, "annotations": [LLAVA]}).encode(),
        "json-splits",
        1,
    ),
    "a title of its own": (
        json.dumps({"info": {"of": [1, 2]}, "license": "x", "data": [LLAVA, LLAVA]}).encode(),
        "pack-file",
        2,
    ),
    "a record with a list": (b'{"id": "x", "train": [{}], "content": "x"}', "json-object", 1),
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
    monkeypatch.setattr(detect, "read_lines", lambda *_: pytest.fail("read"))
    assert detect._detect_json(path, is_lines=False) == container


def test_objects_of_several_lines_are_no_json_lines(opened):
    data = "\n".join(json.dumps(LLAVA, indent=1) for _ in range(3)).encode()
    with pytest.raises(FormatError, match=r"a\.jsonl: has objects of several lines, must have one"):
        opened("a.jsonl", data)


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-be"])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_utf_16_is_told_once_a_file(opened, name, codec):
    data = ("\ufeff" * (codec != "utf-16") + json.dumps(LLAVA) + "\n").encode(codec)
    with pytest.raises(FormatError, match="is UTF-16, must be UTF-8"):
        opened(name, data)


def test_other_endings(opened):
    assert opened("a.tar", tar_of(a_txt=b"x")).container == "tar"
    assert opened("a.parquet", parquet_of(image=["a"], text=["b"])).container == "parquet"
    assert opened("a.csv", b"image,text\na.jpg,x\n").container == "csv"
    assert opened("a.txt", b"a|which?|that\n").container == "pipe-lines"
    assert opened("a.tsv", b"image\ttext\na.jpg\tx\n").container == "tsv"
    message = r"a\.xls: unknown ending; packkit reads \.arrow, .*also compressed, as \.gz, .*\.xz"
    with pytest.raises(InputError, match=message):
        opened("a.xls", b"x\ty")
    with pytest.raises(InputError, match=r"a\.xls\.gz: unknown ending"):
        opened("a.xls.gz", gzip.compress(b"x\ty"))


# Which layout


@pytest.mark.parametrize(
    ("record", "layout"),
    [
        (CANONICAL, "packkit"),
        ({"messages": []}, "messages"),
        ({"prompt": "a", "completion": "b"}, "prompt"),
        ({"query": "a", "response": "b", "images": []}, "prompt"),
        ({"images": [], "texts": [{"user": "a", "assistant": "b"}]}, "cauldron"),
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
    message = r"a\.jsonl: could be caption or packkit \(keys: content, image, text\); name one"
    with pytest.raises(InputError, match=message):
        opened("a.jsonl", lines({**CAPTION, "content": "x"}))
    assert opened("a.jsonl", lines({**CAPTION, "content": "x"}), layout="packkit").layout


def test_keys_that_no_layout_knows(opened):
    message = (
        r"a\.jsonl: no known layout has the keys a, b; packkit inspect shows what it holds; name"
    )
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


@pytest.mark.parametrize("key", ["data", "samples", "records", "rows", "examples", "annotations"])
@pytest.mark.parametrize(("record", "layout"), [(LLAVA, "llava"), (CAPTION, "caption")])
def test_records_under_a_key_are_of_any_layout(opened, key, record, layout):
    source = opened("a.json", json.dumps({key: [record, record]}).encode())
    assert source.layout == layout
    assert read(source) == [record, record]
