import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError
from packkit.images import DataRoot
from packkit.infimed.data.layouts.figure_captions import FigureCaptionsLayout

LAYOUT = FigureCaptionsLayout({})
RECORD = {
    "pair_id": "a",
    "pmid": "186",
    "fig_label": "Figure 2",
    "fig_caption": "Chest X-ray.",
    "in_text_mention": ["One .", {"tokens": "Two ."}],
    "domain": {"chest_xray": True, "mri": False},
}


def test_matches():
    assert LAYOUT.matches(RECORD)
    assert LAYOUT.matches({"pair_id": 1, "fig_caption": 2})
    assert not LAYOUT.matches({**RECORD, "conversations": []})
    assert not LAYOUT.matches({"fig_caption": "x"})


def test_the_image_the_caption_and_what_mentions_it(root, picture):
    sample = LAYOUT.to_sample(RECORD, root)
    assert sample.content == (None, "Chest X-ray.\n\nOne .\n\nTwo .")
    assert sample.image_bytes(0) == picture()
    assert sample.id == "a"
    assert sample.meta == {key: RECORD[key] for key in ("pmid", "fig_label", "domain")}


@given(st.lists(st.text("ab. ", max_size=4), max_size=5), st.booleans())
def test_every_mention_is_a_paragraph(root, mentions, as_tokens):
    values = [{"tokens": text} if as_tokens else text for text in mentions]
    sample = LAYOUT.to_sample({**RECORD, "in_text_mention": values}, root)
    paragraphs = ["Chest X-ray.", *(text for text in mentions if text.strip())]
    assert sample.texts[0].split("\n\n") == paragraphs


@pytest.mark.parametrize("mentions", [None, []])
def test_no_mention(root, mentions):
    sample = LAYOUT.to_sample({**RECORD, "in_text_mention": mentions}, root)
    assert sample.content == (None, "Chest X-ray.")


def test_images_in_the_folder_of_the_archive(tmp_path, picture):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(picture())
    assert LAYOUT.to_sample(RECORD, DataRoot(tmp_path)).image_bytes(0) == picture()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"pair_id": None}, RejectReason.EMPTY_TEXT),
        ({"fig_caption": ""}, RejectReason.EMPTY_TEXT),
        ({"fig_caption": {"text": "x"}}, RejectReason.INVALID_SAMPLE),
        ({"in_text_mention": "x"}, RejectReason.INVALID_SAMPLE),
        ({"in_text_mention": [5]}, RejectReason.INVALID_SAMPLE),
        ({"in_text_mention": [{"tokens": ["One", "."]}]}, RejectReason.INVALID_SAMPLE),
        ({"pair_id": "../a"}, RejectReason.UNSAFE_PATH),
    ],
)
def test_what_is_no_caption_is_rejected(root, change, reason):
    with pytest.raises(SampleError) as caught:
        LAYOUT.to_sample({**RECORD, **change}, root)
    assert caught.value.reason is reason


@given(st.data())
def test_only_sample_errors_escape(records_of, root, data):
    values = st.sampled_from(["a", ["x"], [{"tokens": "y"}]])
    fields = data.draw(records_of(*RECORD, values=values))
    LAYOUT.matches(fields)
    try:
        sample = LAYOUT.to_sample(fields, root)
    except SampleError:
        return
    assert sample.image_count == len(sample.images) == 1
