import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError
from packkit.images import DataRoot
from packkit.infimed.data.layouts.slake import SlakeLayout
from packkit.samples import Message

LAYOUT = SlakeLayout({})
RECORD = {
    "img_id": 1,
    "img_name": "deep/c.webp",
    "question": "图像里有什么器官？",
    "answer": "肝脏",
    "q_lang": "zh",
    "location": "Abdomen",
    "modality": "MRI",
    "answer_type": "OPEN",
    "base_type": "vqa",
    "content_type": "Organ",
    "triple": ["vhead", "_", "_"],
    "qid": 9835,
}


def test_matches():
    assert LAYOUT.matches(RECORD)
    assert not LAYOUT.matches({"image": "x", "question": "x", "answer": "x"})
    # A table with the pictures inside is a table of questions like others.
    assert not LAYOUT.matches({**RECORD, "image": "x"})


def test_a_question_in_chinese(root, picture):
    sample = LAYOUT.to_sample(RECORD, root)
    assert sample.messages == (
        Message("user", (None, "图像里有什么器官？")),
        Message("assistant", ("肝脏",)),
    )
    assert sample.id == "9835"
    used = {"img_name", "question", "answer"}
    assert sample.meta == {key: value for key, value in RECORD.items() if key not in used}
    assert sample.image_bytes(0) == picture("WEBP")


def test_images_in_the_folder_of_the_archive(tmp_path, picture):
    place = tmp_path / "imgs" / "xmlab1" / "source.jpg"
    place.parent.mkdir(parents=True)
    place.write_bytes(picture())
    sample = LAYOUT.to_sample({**RECORD, "img_name": "xmlab1/source.jpg"}, DataRoot(tmp_path))
    assert sample.image_bytes(0) == picture()


@pytest.mark.parametrize("key", ["img_name", "question", "answer"])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, RejectReason.EMPTY_TEXT),
        (" ", RejectReason.EMPTY_TEXT),
        (5, RejectReason.INVALID_SAMPLE),
        (["x"], RejectReason.INVALID_SAMPLE),
    ],
)
def test_what_is_no_text_is_rejected(root, key, value, reason):
    with pytest.raises(SampleError, match=f"field {key}") as caught:
        LAYOUT.to_sample({**RECORD, key: value}, root)
    assert caught.value.reason is reason


@given(st.data())
def test_only_sample_errors_escape(records_of, root, data):
    fields = data.draw(
        records_of(*RECORD, values=st.sampled_from(["deep/c.webp", "肝", "../..", "\0"]))
    )
    LAYOUT.matches(fields)
    try:
        sample = LAYOUT.to_sample(fields, root)
    except SampleError:
        return
    assert sample.image_count == len(sample.images) == 1
