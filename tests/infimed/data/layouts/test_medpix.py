import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError
from packkit.images import DataRoot
from packkit.infimed.data.layouts.medpix import MedpixLayout

LAYOUT = MedpixLayout({})
RECORD = {
    "Type": "CT",
    "U_id": "MPX1009",
    "image": "b",
    "Description": {"Age": "73", "Caption": "The prostate is enlarged.", "Figure Part": None},
    "Location": "Genitourinary",
    "Location Category": "Reproductive and Urinary System",
}


def test_matches():
    assert LAYOUT.matches(RECORD)
    assert not LAYOUT.matches({"image": "x", "Description": {}})
    # A case, which has no image of its own.
    assert not LAYOUT.matches({"U_id": "MPX1009", "TAC": [], "MRI": [], "Case": {}, "Topic": {}})


def test_the_image_then_its_caption(root, picture):
    sample = LAYOUT.to_sample(RECORD, root)
    assert sample.content == (None, "The prostate is enlarged.")
    assert sample.image_bytes(0) == picture("PNG")
    assert sample.id == "b"
    kept = {key: RECORD[key] for key in ("Type", "U_id", "Location", "Location Category")}
    assert sample.meta == {**kept, "Description": {"Age": "73"}}


def test_images_in_the_folder_of_the_archive(tmp_path, picture):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "b.png").write_bytes(picture("PNG"))
    assert LAYOUT.to_sample(RECORD, DataRoot(tmp_path)).image_bytes(0) == picture("PNG")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"image": None}, RejectReason.EMPTY_TEXT),
        ({"Description": "x"}, RejectReason.INVALID_SAMPLE),
        ({"Description": {}}, RejectReason.EMPTY_TEXT),
        ({"Description": {"Caption": None}}, RejectReason.EMPTY_TEXT),
        ({"Description": {"Caption": 5}}, RejectReason.INVALID_SAMPLE),
    ],
)
def test_what_is_no_scan_is_rejected(root, change, reason):
    with pytest.raises(SampleError) as caught:
        LAYOUT.to_sample({**RECORD, **change}, root)
    assert caught.value.reason is reason


@given(st.data())
def test_only_sample_errors_escape(records_of, root, data):
    values = st.sampled_from(["b", {"Caption": "x"}])
    fields = data.draw(records_of(*RECORD, values=values))
    LAYOUT.matches(fields)
    try:
        sample = LAYOUT.to_sample(fields, root)
    except SampleError:
        return
    assert sample.image_count == len(sample.images) == 1
