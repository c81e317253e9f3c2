import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError
from packkit.images import RangeImage
from packkit.sources.containers.tar import IMAGE_EXTENSIONS, KEY
from packkit.sources.layouts.webdataset import WebdatasetLayout

LAYOUT = WebdatasetLayout({})


def reason_of(fields, root):
    with pytest.raises(SampleError) as caught:
        LAYOUT.to_sample(fields, root)
    return caught.value.reason


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({KEY: "0", "jpg": b"x"}, True),
        ({KEY: "0", "webp": b"x", "json": {}}, True),
        ({KEY: "0", "txt": "x"}, True),
        ({KEY: "0", "texts": []}, False),
        ({KEY: "0", "json": {}}, True),
        ({KEY: "0", "seg.png": b"x"}, True),
        ({KEY: "0", "cls": b"x"}, False),
        ({"jpg": b"x", "txt": "x"}, False),
        ({}, False),
    ],
)
def test_matches(fields, expected):
    assert LAYOUT.matches(fields) is expected


@pytest.mark.parametrize("extension", IMAGE_EXTENSIONS)
def test_image_and_txt(root, extension):
    image = RangeImage("a.tar", 512, 100)
    sample = LAYOUT.to_sample({KEY: "a/0", extension: image, "txt": "A caption."}, root)
    assert (sample.id, sample.content, sample.images) == ("a/0", (None, "A caption."), (image,))
    assert sample.meta == {}


@pytest.mark.parametrize(
    ("info", "text", "meta"),
    [
        ({"caption": "c", "url": "u"}, "c", {"url": "u"}),
        ({"text": "t", "width": 5}, "t", {"width": 5}),
        ({"caption": "c", "text": "t"}, "c", {"text": "t"}),
        ({"caption": None, "text": "t"}, "t", {}),
    ],
)
def test_image_and_json(root, info, text, meta):
    sample = LAYOUT.to_sample({KEY: "0", "png": b"x", "json": info}, root)
    assert (sample.content, sample.meta) == ((None, text), meta)


def test_txt_goes_before_json(root):
    fields = {KEY: "0", "webp": b"x", "txt": "t", "json": {"caption": "c", "sha": 1, "n": None}}
    sample = LAYOUT.to_sample(fields, root)
    assert (sample.content, sample.meta) == ((None, "t"), {"caption": "c", "sha": 1})


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"jpg": b"x"}, RejectReason.EMPTY_TEXT),
        ({"jpg": b"x", "txt": ""}, RejectReason.EMPTY_TEXT),
        ({"jpg": b"x", "txt": " \n"}, RejectReason.EMPTY_TEXT),
        ({"jpg": b"x", "json": {}}, RejectReason.EMPTY_TEXT),
        ({"jpg": b"x", "json": {"caption": ""}}, RejectReason.EMPTY_TEXT),
        ({"jpg": b"x", "json": {"caption": 5}}, RejectReason.EMPTY_TEXT),
        ({"jpg": b"x", "json": [1], "txt": "x"}, RejectReason.INVALID_SAMPLE),
        ({"txt": "x"}, RejectReason.MISSING_IMAGE),
        ({"jpg": None, "txt": "x"}, RejectReason.MISSING_IMAGE),
        ({"jpg": 5, "txt": "x"}, RejectReason.INVALID_SAMPLE),
        ({"jpg": b"x", "txt": "x", "caption": b"y"}, RejectReason.INVALID_SAMPLE),
        ({"jpg": b"x", "cap": b"\xff"}, RejectReason.INVALID_UTF8),
        (
            {"jpg": b"x", "json": [{"from": "human", "value": "<image><image>"}]},
            RejectReason.IMAGE_COUNT,
        ),
    ],
)
def test_records_that_are_no_pair(root, fields, reason):
    assert reason_of({KEY: "0", **fields}, root) is reason


@given(st.data())
def test_only_sample_errors_escape(records_of, root, data):
    fields = data.draw(
        records_of(KEY, "jpg", "png", "txt", "json", values=st.sampled_from(["x", b"y", {}]))
    )
    LAYOUT.matches(fields)
    try:
        sample = LAYOUT.to_sample(fields, root)
    except SampleError:
        return
    assert sample.image_count == len(sample.images) > 0
