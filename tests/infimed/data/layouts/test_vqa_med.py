import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError
from packkit.images import DataRoot
from packkit.infimed.data.layouts.vqa_med import VqaMedLayout
from packkit.samples import Message

LAYOUT = VqaMedLayout({})
RECORD = {"image_id": "a", "question": "which plane?", "answer": "axial"}


def test_matches():
    assert LAYOUT.matches(RECORD)
    assert LAYOUT.matches({**RECORD, "category": "plane"})
    assert not LAYOUT.matches({**RECORD, "image": "a.jpg"})
    assert not LAYOUT.matches({"question": "x", "answer": "y"})


def test_a_question(root, picture):
    sample = LAYOUT.to_sample({**RECORD, "category": "plane"}, root)
    assert sample.messages == (
        Message("user", (None, "which plane?")),
        Message("assistant", ("axial",)),
    )
    # Several questions are about one image: its name is no id.
    assert (sample.id, sample.meta) == (None, {"image_id": "a", "category": "plane"})
    assert sample.image_bytes(0) == picture()


@pytest.mark.parametrize("folder", ["Train_images", "Val_images", "VQAMed2019_Test_Images"])
def test_images_in_the_folder_of_the_archive(tmp_path, picture, folder):
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "a.jpg").write_bytes(picture())
    assert LAYOUT.to_sample(RECORD, DataRoot(tmp_path)).image_bytes(0) == picture()


@pytest.mark.parametrize("key", RECORD)
@pytest.mark.parametrize("value", [None, "", " "])
def test_what_is_empty_is_rejected(root, key, value):
    with pytest.raises(SampleError, match=f"no text in field {key}") as caught:
        LAYOUT.to_sample({**RECORD, key: value}, root)
    assert caught.value.reason is RejectReason.EMPTY_TEXT


@given(st.data())
def test_only_sample_errors_escape(records_of, root, data):
    fields = data.draw(records_of(*RECORD, "category", values=st.sampled_from(["a", "../a", "\0"])))
    LAYOUT.matches(fields)
    try:
        sample = LAYOUT.to_sample(fields, root)
    except SampleError:
        return
    assert sample.image_count == len(sample.images) == 1
