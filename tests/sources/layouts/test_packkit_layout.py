import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError
from packkit.images import Base64Image, RangeImage
from packkit.samples import Sample
from packkit.sources.base import image_from_field, rest_as_meta
from packkit.sources.layouts.packkit import PackkitLayout

LAYOUT = PackkitLayout({})
IMAGE_AND_TEXT = [{"type": "image"}, {"type": "text", "text": "x"}]


def reason_of(call, *args):
    with pytest.raises(SampleError) as caught:
        call(*args)
    return caught.value.reason


def test_matches():
    assert LAYOUT.matches({"content": "x"})
    assert not LAYOUT.matches({"text": "x", "image": "y"})
    # What is written by other tools, and by ours, but for markers.
    assert not LAYOUT.matches({"messages": [{"role": "user"}]})


def test_canonical_records_read_as_the_schema_reads_them(root, picture):
    data = picture()
    record = {
        "id": 5,
        "content": IMAGE_AND_TEXT,
        "images": [base64.b64encode(data).decode()],
        "meta": {"a": 1},
        "modality": "CT",
    }
    sample = LAYOUT.to_sample(record, root)
    assert sample == Sample.from_dict(record)
    assert sample.image_bytes(0) == data


@pytest.mark.parametrize(
    "image",
    ["a.jpg", "./a.jpg", "deep/../a.jpg", {"path": "a.jpg"}, {"bytes": None, "path": "a.jpg"}],
)
def test_images_as_paths(root, picture, image):
    sample = LAYOUT.to_sample({"content": IMAGE_AND_TEXT, "images": [image]}, root)
    assert sample.image_bytes(0) == picture()


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("../a.jpg", RejectReason.UNSAFE_PATH),
        ("/etc/passwd.jpg", RejectReason.UNSAFE_PATH),
        ({"path": "../../etc/passwd"}, RejectReason.UNSAFE_PATH),
        ("http://example.org/a", RejectReason.MISSING_IMAGE),
        ("file:///etc/passwd", RejectReason.UNSAFE_PATH),
        ("data:image/png,AAAA", RejectReason.MISSING_IMAGE),
        (None, RejectReason.MISSING_IMAGE),
        ("", RejectReason.MISSING_IMAGE),
        ({"bytes": None}, RejectReason.MISSING_IMAGE),
        ({"bytes": "", "path": ""}, RejectReason.MISSING_IMAGE),
        ({"bytes": None, "path": None}, RejectReason.MISSING_IMAGE),
        ({"path": None}, RejectReason.MISSING_IMAGE),
        ({}, RejectReason.INVALID_SAMPLE),
        ({"bytes": 5}, RejectReason.INVALID_SAMPLE),
        ([], RejectReason.INVALID_SAMPLE),
        (5, RejectReason.INVALID_SAMPLE),
        (1.5, RejectReason.INVALID_SAMPLE),
        (True, RejectReason.INVALID_SAMPLE),
    ],
)
def test_images_that_are_none(root, image, reason):
    record = {"content": IMAGE_AND_TEXT, "images": [image]}
    assert reason_of(LAYOUT.to_sample, record, root) is reason


@pytest.mark.parametrize("images", ["a.jpg", {}, "", 0, False])
def test_images_must_be_a_list(root, images):
    record = {"content": IMAGE_AND_TEXT, "images": images}
    assert reason_of(LAYOUT.to_sample, record, root) is RejectReason.INVALID_SAMPLE


@pytest.mark.parametrize("images", [{}, {"images": None}, {"images": []}])
def test_no_images(root, images):
    assert LAYOUT.to_sample({"content": "x", **images}, root).images == ()


@given(st.data())
def test_only_sample_errors_escape(records_of, root, data):
    record = data.draw(
        records_of("messages", "content", "images", "id", "meta", values=st.just(IMAGE_AND_TEXT))
    )
    LAYOUT.matches(record)
    try:
        sample = LAYOUT.to_sample(record, root)
    except SampleError:
        return
    assert sample.image_count == len(sample.images)


# What every layout shares.


def test_image_fields(root):
    reference = RangeImage("archive", 0, 1)
    assert image_from_field(reference, root) is reference
    assert image_from_field(b"x", root) == b"x"
    assert image_from_field("AAAA", root) == Base64Image("AAAA")
    assert image_from_field({"bytes": "AA.A", "path": "a.jpg"}, root) == Base64Image("AA.A")
    # What is longer than any path is base64, and is found to be none when it is read.
    assert image_from_field("A" * 5000 + ".jpg", root) == Base64Image("A" * 5000 + ".jpg")


def test_rest_as_meta():
    fields = {"a": 1, "b": None, "c": 0, "d": [], "__key__": "k", "used": 1}
    assert rest_as_meta(fields, {"used"}) == {"a": 1, "c": 0, "d": []}
