"""Malformed tars, arrays, compressed files and packs."""

import bz2
import gzip
import io
import json
import tarfile

import pyarrow as pa
from malformed import Case
from malformed_lines import GOOD, document
from packing_inputs import png

BLOCK = 512
GOOD_MEMBERS = [
    (f"{n}.{kind}", data) for n in range(3) for kind, data in (("png", png(n)), ("txt", b"a slice"))
]


def tar(members=GOOD_MEMBERS, **options):
    """A tar of members, each its name and bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", **options) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _header_changed(data, member, place, value):
    """A tar with another field in the header of a member, its checksum made to fit."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        start = archive.getmembers()[member].offset
    header = bytearray(data[start : start + BLOCK])
    header[place : place + len(value)] = value
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return data[:start] + bytes(header) + data[start + BLOCK :]


def _zeroed(data, start, stop):
    return data[:start] + bytes(stop - start) + data[stop:]


def _tar(name, data, packed=0, reason=None, **expected):
    return Case(f"tar: {name}", {"a.tar": data}, packed, reason, **expected)


def _changed(name, member, reason):
    """A tar whose second record has another member."""
    members = [*GOOD_MEMBERS[:2], *member, *GOOD_MEMBERS[4:]]
    return _tar(name, tar(members), 2, reason)


def _array(name, data, packed=0, reason=None, **expected):
    return Case(f"array: {name}", {"a.json": data}, packed, reason, **expected)


def _splits(name, data, packed=0, reason=None, **expected):
    return Case(f"splits: {name}", {"a.json": data}, packed, reason, **expected)


def _packs(name, data, packed=0, reason=None, **expected):
    return Case(f"packs: {name}", {"a.jsonl": data}, packed, reason, **expected)


def _lines(*records):
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


TAR = tar()
ARRAY = json.dumps([document(n) for n in range(20)]).encode()
SPLITS = json.dumps({"train": [document(1), document(2)], "val": [document(3)]}).encode()
PACK = {"data": [document(1), document(2)], "lengths": [9, 9]}
# Random words, so that compressed bytes are as many as it takes to cut them.
LINES = b"".join(GOOD.replace(b"number 1", b"number %d" % (n * n)) for n in range(400))
PACKED = {
    "gz": gzip.compress(LINES, mtime=0),
    "bz2": bz2.compress(LINES),
    "zst": pa.compress(LINES, "zstd", asbytes=True),
    "lz4": pa.compress(LINES, "lz4", asbytes=True),
}

CASES = [
    _changed("an image of no bytes", [("1.png", b""), ("1.txt", b"x")], "invalid_image"),
    _changed("words for an image", [("1.png", b"words"), ("1.txt", b"x")], "invalid_image"),
    _changed("a caption that is no UTF-8", [("1.png", png(1)), ("1.txt", b"\xff")], "invalid_utf8"),
    _changed("a blank caption", [("1.png", png(1)), ("1.txt", b" ")], "empty_text"),
    _changed("JSON cut off", [("1.png", png(1)), ("1.json", b'{"a')], "invalid_json"),
    _changed("JSON that is a list", [("1.png", png(1)), ("1.json", b"[]")], "image_count"),
    _changed("two members of one kind", [("1.png", png(1)), ("1.png", png(2))], "invalid_sample"),
    _changed("no member that is known", [("1.pyd", b"x"), ("1.pth", b"y")], "missing_image"),
    _tar("no bytes", b"", error="a.tar"),
    _tar("words", b"a tar, really", error="a.tar"),
    _tar("cut in an image", TAR[: 3 * BLOCK - 20], error="a.tar"),
    _tar("cut in a header", TAR[: 6 * BLOCK + 100], error="a.tar"),
    _tar("a header of zeros", _zeroed(TAR, 6 * BLOCK, 7 * BLOCK), error="a.tar"),
    _tar("a hole of zeros", _zeroed(TAR, 6 * BLOCK, 12 * BLOCK), error="a.tar"),
    _tar("words after the end", TAR + b"words" * 200, error="a.tar"),
    _tar("a header with a wrong sum", TAR[:5120][:148] + b"9" + TAR[149:], error="a.tar"),
    _tar("a negative size", _header_changed(TAR, 2, 124, b"\xff" * 12), error="a.tar"),
    _tar("an absurd size", _header_changed(TAR, 2, 124, b"\x80" + b"\x7f" * 11), error="a.tar"),
    _tar("a size past the end", _header_changed(TAR, 2, 124, b"77777777777\0"), error="a.tar"),
    _tar("two tars joined", TAR + tar([("9.png", png(9)), ("9.txt", b"x")]), 4),
    _tar(
        "cut off, and that allowed",
        TAR[: 5 * BLOCK],
        0,
        "truncated_file",
        options=("--allow-truncated",),
    ),
    _array("cut in an element", ARRAY[:-30], error="a.json"),
    _array("cut between elements", ARRAY[: ARRAY.rindex(b",")], error="a.json"),
    _array("words after the end", ARRAY + b" words", error="a.json"),
    _array("a quote missing", ARRAY.replace(b'number 7"', b"number 7"), 19, "invalid_json"),
    _array("a comma missing", ARRAY.replace(b' 7"}, ', b' 7"} '), error="a.json"),
    _array("an element that is a number", ARRAY[:-1] + b", 3]", 20, "invalid_sample"),
    _array("an element that is null", ARRAY[:-1] + b", null]", 20, "invalid_sample"),
    _array("an element without content", ARRAY[:-1] + b", {}]", 20, "invalid_sample"),
    _array("not UTF-8", ARRAY.replace(b"number 7", b"number \xff"), 19, "invalid_utf8"),
    _array("no elements", b"[]"),
    _splits("cut in an element", SPLITS[:-20], error="a.json"),
    _splits("cut after an array", SPLITS[: SPLITS.index(b"]") + 1], error="a.json"),
    _splits("an element that is a word", SPLITS[:-2] + b', "x"]}', 3, "invalid_sample"),
    *(
        Case(f"{ending}: {name}", {f"a.jsonl.{ending}": data}, error=f"a.jsonl.{ending}")
        for ending, whole in PACKED.items()
        for name, data in (
            ("no bytes", b""),
            ("words", b"compressed, really"),
            ("cut in half", whole[: len(whole) // 2]),
            ("cut at the end", whole[:-6]),
            ("a hole of zeros", _zeroed(whole, len(whole) // 2, len(whole) // 2 + 40)),
        )
    ),
    _packs(
        "data that is a word",
        _lines(PACK, {"data": "x", "lengths": [1]}),
        2,
        "invalid_sample",
    ),
    _packs(
        "a sample that is a word",
        _lines(PACK, {"data": ["x"], "lengths": [1]}),
        2,
        "invalid_sample",
    ),
    _packs("cut off", _lines(PACK, PACK)[:-30], error="a.jsonl"),
]
