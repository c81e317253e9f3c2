import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError
from packkit.samples import Message
from packkit.sources.layouts.tables import CaptionLayout, VqaLayout

CAPTION, VQA = CaptionLayout({}), VqaLayout({})


def reason_of(layout, fields, root):
    with pytest.raises(SampleError) as caught:
        layout.to_sample(fields, root)
    return caught.value.reason


@pytest.mark.parametrize(
    ("keys", "caption", "vqa"),
    [
        ("image text", True, False),
        ("image caption", True, False),
        ("images caption", True, False),
        ("image_path text id", True, False),
        ("img_path caption", True, False),
        ("file_name text", True, False),
        ("image question answer", False, True),
        ("image question answer caption", False, True),
        ("image question text", True, False),
        ("question answer", False, False),
        ("image", False, False),
        ("text", False, False),
        ("", False, False),
    ],
)
def test_matches(keys, caption, vqa):
    fields = dict.fromkeys(keys.split(), "x")
    assert (CAPTION.matches(fields), VQA.matches(fields)) == (caption, vqa)


def test_columns_take_the_place_of_the_usual_names():
    layout = CaptionLayout({"text": "report"})
    assert layout.matches({"image": "x", "report": "x"})
    assert not layout.matches({"image": "x", "text": "x"})
    # Whoever names the text of a row wants a caption, whatever else the row has.
    assert layout.matches({"image": "x", "report": "x", "question": "x", "answer": "x"})


def test_caption(root, picture):
    fields = {"image": "a.jpg", "caption": "Axial CT.", "image_id": 3, "split": "train", "n": None}
    sample = CAPTION.to_sample(fields, root)
    assert sample.content == (None, "Axial CT.")
    assert (sample.id, sample.meta) == ("3", {"split": "train"})
    assert sample.image_bytes(0) == picture()


def test_vqa(root, picture):
    data = picture("PNG")
    image = {"bytes": base64.b64encode(data).decode(), "path": "b.png"}
    fields = {"image": image, "question": "Which?", "answer": "yes", "key": "k", "modality": "CT"}
    sample = VQA.to_sample(fields, root)
    assert sample.messages == (Message("user", (None, "Which?")), Message("assistant", ("yes",)))
    assert (sample.id, sample.meta) == ("k", {"modality": "CT"})
    assert sample.image_bytes(0) == data


def test_columns(root):
    fields = {"scan": "a.jpg", "q": "Which?", "a": "CT", "nr": 7, "id": "other", "image": "b.png"}
    layout = VqaLayout({"image": "scan", "question": "q", "answer": "a", "id": "nr"})
    sample = layout.to_sample(fields, root)
    assert sample.messages == (Message("user", (None, "Which?")), Message("assistant", ("CT",)))
    assert sample.id == "7"
    assert sample.images[0].path.endswith("a.jpg")
    assert sample.meta == {"id": "other", "image": "b.png"}


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_images_as_a_list(root, count):
    sample = CAPTION.to_sample({"image": ["a.jpg"] * count, "text": "x"}, root)
    assert sample.content == (None,) * count + ("x",)
    assert len(sample.images) == count


@pytest.mark.parametrize(
    ("fields", "reason", "detail"),
    [
        ({"image": "a.jpg"}, RejectReason.EMPTY_TEXT, "no text in column text or caption or"),
        ({"image": "a.jpg", "text": None}, RejectReason.EMPTY_TEXT, "no text in column"),
        ({"image": "a.jpg", "text": ""}, RejectReason.EMPTY_TEXT, "no text in column"),
        ({"image": "a.jpg", "text": " \n"}, RejectReason.EMPTY_TEXT, "no text in column"),
        ({"image": "a.jpg", "text": 5}, RejectReason.INVALID_SAMPLE, "must hold text, got int"),
        ({"image": "a.jpg", "text": [5]}, RejectReason.INVALID_SAMPLE, "must hold text, got"),
        ({"image": "a.jpg", "text": []}, RejectReason.EMPTY_TEXT, "no text in column"),
        ({"text": "x"}, RejectReason.MISSING_IMAGE, "the image field is empty"),
        ({"image": None, "text": "x"}, RejectReason.MISSING_IMAGE, "the image field is empty"),
        ({"image": [None], "text": "x"}, RejectReason.MISSING_IMAGE, "the image field is empty"),
        ({"image": 5, "text": "x"}, RejectReason.INVALID_SAMPLE, "an image must be"),
        ({"image": "../a.jpg", "text": "x"}, RejectReason.UNSAFE_PATH, "outside data_root"),
    ],
)
def test_captions_that_are_none(root, fields, reason, detail):
    with pytest.raises(SampleError, match=detail) as caught:
        CAPTION.to_sample(fields, root)
    assert caught.value.reason is reason


@pytest.mark.parametrize("missing", ["question", "answer"])
@pytest.mark.parametrize("value", [None, "", " "])
def test_questions_and_answers_must_hold_text(root, missing, value):
    fields = {"image": "a.jpg", "question": "a", "answer": "b", missing: value}
    assert reason_of(VQA, fields, root) is RejectReason.EMPTY_TEXT
    del fields[missing]
    assert reason_of(VQA, fields, root) is RejectReason.EMPTY_TEXT


def test_a_named_column_that_a_row_lacks(root):
    with pytest.raises(SampleError, match="no text in column report"):
        CaptionLayout({"text": "report"}).to_sample({"image": "a.jpg", "text": "x"}, root)


@given(st.data())
def test_only_sample_errors_escape(records_of, root, data):
    fields = data.draw(
        records_of(
            *("image", "images", "text", "caption", "question", "answer", "id"),
            values=st.sampled_from(["a.jpg", ["a.jpg", "b.png"], "x"]),
        )
    )
    for layout in (CAPTION, VQA, CaptionLayout({"text": "id"})):
        layout.matches(fields)
        try:
            sample = layout.to_sample(fields, root)
        except SampleError:
            continue
        assert sample.image_count == len(sample.images)


@pytest.mark.parametrize(
    ("answer", "text"),
    [(2, "2"), (2.0, "2"), (2.5, "2.5"), ("2", "2"), (["yes"], "yes"), (["a", "b", "b"], "b")],
)
def test_answers_of_every_kind(root, answer, text):
    fields = {"image": "a.jpg", "question": "How many?", "answer": answer}
    sample = VqaLayout({}).to_sample(fields, root)
    assert sample.messages[1].content == (text,)
    is_several = isinstance(answer, list) and len(answer) > 1
    assert sample.meta == ({"answer": answer} if is_several else {})


def test_answers_as_vqav2_has_them(root):
    answers = [{"answer": a, "answer_confidence": "yes"} for a in ("net", "nets", "net")]
    fields = {"image": "a.jpg", "question": "What?", "answers": answers, "question_id": 7}
    sample = VqaLayout({}).to_sample(fields, root)
    assert (sample.id, sample.messages[1].content) == ("7", ("net",))
    assert sample.meta == {"answers": answers}


@pytest.mark.parametrize(
    ("answer", "letter"),
    [(1, "B"), (1.0, "B"), ("B", "B"), (" b ", "B"), ("a liver", "B"), (0, "A")],
)
def test_choices_are_asked_by_letters(root, answer, letter):
    fields = {"image": "a.jpg", "question": "Which?", "choices": ["a heart", "a liver"]}
    sample = VqaLayout({}).to_sample({**fields, "answer": answer}, root)
    assert sample.messages[0].content == (None, "Which?\nA. a heart\nB. a liver")
    assert sample.messages[1].content == (letter,)
    assert sample.meta == {}


CHOICES = [
    {"choices": ["a heart", "a liver"]},
    {"options": {"A": "a heart", "B": "a liver"}},
    {"A": "a heart", "B": "a liver", "C": None},
]


@pytest.mark.parametrize("choices", CHOICES)
def test_choices_stand_in_a_list_or_by_their_letters_and_a_hint_first(root, choices):
    fields = {"image": "a.jpg", "question": "Which?", "hint": "Look up.", "answer": "B", **choices}
    sample = VqaLayout({}).to_sample(fields, root)
    assert sample.texts == ("Look up.\nWhich?\nA. a heart\nB. a liver", "B")
    assert sample.meta == {}


@pytest.mark.parametrize("key", ["my_choices", "options_x", "hint2", "B", "choice_C"])
def test_what_may_be_a_part_of_the_question_is_not_left_out(root, key):
    fields = {"image": "a.jpg", "question": "Which?", "answer": "2", key: "a heart"}
    with pytest.raises(SampleError, match=f"unused_prompt: the key '{key}'"):
        VqaLayout({}).to_sample(fields, root)


@pytest.mark.parametrize("answer", [2, -1, True, "C", "a kidney", None, 0.5, ["a liver"]])
def test_answers_that_are_none_of_the_choices(root, answer):
    fields = {"image": "a.jpg", "question": "Which?", "choices": ["a heart", "a liver"]}
    with pytest.raises(SampleError, match="the answer must be one of the 2 choices"):
        VqaLayout({}).to_sample({**fields, "answer": answer}, root)


@pytest.mark.parametrize("choices", ["ab", [1, 2], ["a", ""], ["x"] * 27, {"B": "x"}])
def test_choices_must_be_texts(root, choices):
    fields = {"image": "a.jpg", "question": "Which?", "choices": choices, "answer": 0}
    with pytest.raises(SampleError, match="choices must be a list of 1 to 26 texts"):
        VqaLayout({}).to_sample(fields, root)


def test_of_several_captions_the_first_is_trained_and_all_are_kept(root):
    captions = ["A heart.", "The heart."]
    sample = CaptionLayout({}).to_sample({"image": "a.jpg", "captions": captions}, root)
    assert sample.content == (None, "A heart.")
    assert sample.meta == {"captions": captions}
    sample = CaptionLayout({}).to_sample({"image": "a.jpg", "caption": captions[:1]}, root)
    assert (sample.content, sample.meta) == ((None, "A heart."), {})


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("<image>\nA heart.", (None, "A heart.")),
        ("A heart. <image>", ("A heart. ", None)),
        ("<image>A <image>\nB", (None, "A ", None, "B")),
    ],
)
def test_markers_in_a_text_place_its_images(root, text, content):
    images = ["a.jpg"] * content.count(None)
    assert CaptionLayout({}).to_sample({"image": images, "text": text}, root).content == content
    fields = {"image": images, "question": text, "answer": "x"}
    assert VqaLayout({}).to_sample(fields, root).messages[0].content == content
    with pytest.raises(SampleError, match="image_count"):
        CaptionLayout({}).to_sample({"image": [*images, "b.png"], "text": text}, root)
