import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError
from packkit.images import DataRoot
from packkit.infimed.data.layouts.r2gen import R2genLayout

LAYOUT = R2genLayout({})
RECORD = {"id": "CXR1", "report": "Normal.", "image_path": ["a.jpg", "b.png"], "split": "train"}


def test_matches():
    assert LAYOUT.matches(RECORD)
    assert not LAYOUT.matches({"image_path": "x", "text": "y"})


def test_the_images_then_the_report(root, picture):
    sample = LAYOUT.to_sample(RECORD, root)
    assert sample.content == (None, None, "Normal.")
    assert [image.read() for image in sample.images] == [picture("JPEG"), picture("PNG")]
    assert (sample.id, sample.meta) == ("CXR1", {"split": "train"})


@given(st.lists(st.sampled_from(["a.jpg", "b.png", "deep/c.webp"]), min_size=1, max_size=5))
def test_as_many_images_as_there_are(root, paths):
    sample = LAYOUT.to_sample({**RECORD, "image_path": paths}, root)
    assert sample.content == (None,) * len(paths) + ("Normal.",)
    assert [image.path.endswith(path) for image, path in zip(sample.images, paths, strict=True)]


def test_images_in_the_folder_of_the_archive(tmp_path, picture):
    place = tmp_path / "images" / "CXR1" / "0.png"
    place.parent.mkdir(parents=True)
    place.write_bytes(picture("PNG"))
    sample = LAYOUT.to_sample({**RECORD, "image_path": ["CXR1/0.png"]}, DataRoot(tmp_path))
    assert sample.image_bytes(0) == picture("PNG")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"image_path": []}, RejectReason.MISSING_IMAGE),
        ({"image_path": [None]}, RejectReason.MISSING_IMAGE),
        ({"image_path": "a.jpg"}, RejectReason.INVALID_SAMPLE),
        ({"image_path": [5]}, RejectReason.INVALID_SAMPLE),
        ({"image_path": ["/etc/passwd.png"]}, RejectReason.UNSAFE_PATH),
        ({"report": " "}, RejectReason.EMPTY_TEXT),
        ({"report": ["x"]}, RejectReason.INVALID_SAMPLE),
    ],
)
def test_what_is_no_report_is_rejected(root, change, reason):
    with pytest.raises(SampleError) as caught:
        LAYOUT.to_sample({**RECORD, **change}, root)
    assert caught.value.reason is reason


@given(st.data())
def test_only_sample_errors_escape(records_of, root, data):
    fields = data.draw(records_of(*RECORD, values=st.sampled_from([["a.jpg"], "x"])))
    LAYOUT.matches(fields)
    try:
        sample = LAYOUT.to_sample(fields, root)
    except SampleError:
        return
    assert sample.image_count == len(sample.images) > 0
