"""Malformed tables: CSV, Parquet, lines with bars, and the layouts of their rows."""

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
from malformed import Case
from packing_inputs import png

IMAGES = {"images/a.png": png(1), "a.png": png(1)}
HEAD = b"image,question,answer\n"
ROW = b"a.png,which plane?,axial\n"


def parquet(**columns):
    """A Parquet file of columns."""
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def _csv(name, data, packed=0, reason=None, **expected):
    return Case(f"csv: {name}", {"a.csv": data, **IMAGES}, packed, reason, **expected)


def _parquet(name, data, packed=0, reason=None, **expected):
    return Case(f"parquet: {name}", {"a.parquet": data, **IMAGES}, packed, reason, **expected)


def _bars(name, data, packed=0, reason=None, **expected):
    folder = {"Train_images/a.jpg": png(1)}
    return Case(f"bars: {name}", {"a.txt": data, **folder}, packed, reason, **expected)


def _record(name, record, reason, good):
    """A bad record of a layout between two good ones."""
    data = b"".join(json.dumps(part).encode() + b"\n" for part in (good, record, good))
    return Case(name, {"a.jsonl": data, **IMAGES}, 2, reason)


LLAVA = {
    "image": "a.png",
    "conversations": [{"from": "human", "value": "<image>x?"}, {"from": "gpt", "value": "y"}],
}
VQA = {"image": "a.png", "question": "which plane?", "answer": "axial"}
CAPTION = {"image": "a.png", "caption": "a slice"}
WHOLE = parquet(image=["a.png"] * 40, caption=[f"slice {n}" for n in range(40)])


def _turns(*values):
    roles = ("human", "gpt") * len(values)
    return [{"from": role, "value": value} for role, value in zip(roles, values, strict=False)]


CASES = [
    _record(
        "llava: too many marks",
        LLAVA | {"conversations": _turns("<image><image>x", "y")},
        "image_count",
        LLAVA,
    ),
    _record("llava: no image", LLAVA | {"image": None}, "image_count", LLAVA),
    _record(
        "llava: conversations are a string", LLAVA | {"conversations": "x"}, "invalid_sample", LLAVA
    ),
    _record("llava: a turn is null", LLAVA | {"conversations": [None]}, "invalid_sample", LLAVA),
    _record(
        "llava: a value is a number",
        LLAVA | {"conversations": _turns(1, "y")},
        "invalid_sample",
        LLAVA,
    ),
    _record(
        "llava: an unknown speaker",
        LLAVA | {"conversations": [{"from": "x", "value": "y"}]},
        "invalid_sample",
        LLAVA,
    ),
    _record("llava: no turns", LLAVA | {"conversations": []}, "image_count", LLAVA),
    _record("llava: a missing image", LLAVA | {"image": "b.png"}, "missing_image", LLAVA),
    _record("llava: a path upwards", LLAVA | {"image": "../a.png"}, "unsafe_path", LLAVA),
    _record("vqa: no answer", VQA | {"answer": None}, "empty_text", VQA),
    _record("vqa: an empty question", VQA | {"question": ""}, "empty_text", VQA),
    _record("vqa: an image is empty", VQA | {"image": ""}, "missing_image", VQA),
    _record("vqa: an image is a list of lists", VQA | {"image": [[1]]}, "invalid_sample", VQA),
    _record("caption: a blank caption", CAPTION | {"caption": "  "}, "empty_text", CAPTION),
    _record(
        "caption: a caption is an object", CAPTION | {"caption": {}}, "invalid_sample", CAPTION
    ),
    _record("caption: no image", CAPTION | {"image": None}, "missing_image", CAPTION),
    _csv("a row with a field less", HEAD + ROW + b"a.png,x\n" + ROW, 2, "invalid_sample"),
    _csv(
        "a row with a field more",
        HEAD + ROW + b"a.png,x,y,z\n" + ROW,
        2,
        "invalid_sample",
    ),
    _csv(
        "a row that is no UTF-8",
        HEAD + ROW + b"a.png,\xff,y\n" + ROW,
        2,
        "invalid_utf8",
    ),
    _csv("an empty answer", HEAD + ROW + b"a.png,x,\n" + ROW, 2, "empty_text"),
    _csv("a quote that is not closed", HEAD + ROW + b'a.png,"x,y\n' + 3 * ROW, error="a.csv"),
    _csv(
        "a quote that swallows rows",
        HEAD + b'a.png,"x,y\n' + 2 * ROW + b'a.png,"x",y\n' + ROW,
        error="a.csv",
    ),
    _csv("cut off in a row", HEAD + ROW + ROW[:9], error="a.csv"),
    _csv("no bytes", b"", error="a.csv"),
    _csv("a column twice", b"image,image,answer\n" + ROW, error="a.csv"),
    _csv("a header alone", HEAD),
    _parquet("no bytes", b"", error="a.parquet"),
    _parquet("words", b"a table, really", error="a.parquet"),
    _parquet("cut in half", WHOLE[: len(WHOLE) // 2], error="a.parquet"),
    _parquet("without its last byte", WHOLE[:-1], error="a.parquet"),
    _parquet("without its first bytes", WHOLE[200:], error="a.parquet"),
    _parquet("a footer of zeros", WHOLE[:-300] + bytes(300), error="a.parquet"),
    _parquet(
        "a null caption",
        parquet(image=["a.png"] * 3, caption=["x", None, "y"]),
        2,
        "empty_text",
    ),
    _parquet(
        "a null image",
        parquet(image=["a.png", None], caption=["x", "y"]),
        1,
        "missing_image",
    ),
    _parquet(
        "bytes that are no image",
        parquet(image=[png(1), b"x"], caption=["x", "y"]),
        1,
        "invalid_image",
    ),
    _parquet(
        "a date past the year 9999",
        parquet(
            image=["a.png"] * 2,
            caption=["x", "y"],
            day=pa.array([0, 2**31 - 1], pa.int32()).cast(pa.date32()),
        ),
        1,
        "invalid_sample",
    ),
    _bars(
        "a bar less",
        b"a|which plane?|axial\na|x\na|which plane?|axial\n",
        2,
        "invalid_sample",
    ),
    _bars("an empty answer", b"a|which plane?|axial\na|x|\n", 1, "empty_text"),
    _bars("no UTF-8", b"a|which plane?|axial\na|\xff|y\n", 1, "invalid_utf8"),
    _bars("cut off in a line", b"a|which plane?|axial\na|whi", error="a.txt"),
]
