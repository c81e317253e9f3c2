import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError
from packkit.images import DataRoot
from packkit.infimed.data.layouts.pmc_vqa import PmcVqaLayout
from packkit.samples import Message

LAYOUT = PmcVqaLayout({})
CHOICES = {"Choice A": " A:CT", "Choice B": " B: MRI ", "Choice C": "PET", "Choice D": "D:B:x"}
FIRST = {
    "Figure_path": "a.jpg",
    "Question": " Which\nmodality?",
    "Answer": "MRI",
    **CHOICES,
    "Answer_label": "B",
}
SECOND = {
    "index": "12",
    "Figure_path": "b.png",
    "Caption": "A scan.",
    "Question": "Which?",
    **CHOICES,
    "Answer": " B ",
    "split": "train",
}
OPTIONS = "Options:\nA. CT\nB. MRI\nC. PET\nD. B:x\n"
ASKED = "Answer with the option's letter from the given choices directly."


def test_matches_both_versions():
    assert LAYOUT.matches(FIRST)
    assert LAYOUT.matches(SECOND)
    assert not LAYOUT.matches({key: value for key, value in FIRST.items() if key != "Choice D"})


def test_version_1(root, picture):
    sample = LAYOUT.to_sample(FIRST, root)
    prompt = f"Question: Which\nmodality?\n{OPTIONS}{ASKED}"
    assert sample.messages == (Message("user", (None, prompt)), Message("assistant", ("B",)))
    assert (sample.id, sample.meta) == (None, {})
    assert sample.image_bytes(0) == picture("JPEG")


def test_version_2(root, picture):
    sample = LAYOUT.to_sample(SECOND, root)
    prompt = f"Question: Which?\n{OPTIONS}{ASKED}"
    assert sample.messages == (Message("user", (None, prompt)), Message("assistant", ("B",)))
    assert (sample.id, sample.meta) == ("12", {"Caption": "A scan.", "split": "train"})
    assert sample.image_bytes(0) == picture("PNG")


@pytest.mark.parametrize("letter", "ABCD")
@pytest.mark.parametrize("version", [FIRST, SECOND])
def test_the_answer_is_the_letter(root, version, letter):
    text = {"A": "CT", "B": "MRI", "C": "PET", "D": "B:x"}[letter]
    is_first = version is FIRST
    answer = {"Answer": text, "Answer_label": letter} if is_first else {"Answer": letter}
    sample = LAYOUT.to_sample({**version, **answer}, root)
    assert sample.messages[1].content == (letter,)


def test_versions_have_folders_of_their_own(tmp_path, picture):
    for folder, kind in (("images", "JPEG"), ("figures", "PNG")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x").write_bytes(picture(kind))
    root = DataRoot(tmp_path)
    for fields, kind in ((FIRST, "JPEG"), (SECOND, "PNG")):
        assert LAYOUT.to_sample({**fields, "Figure_path": "x"}, root).image_bytes(0) == picture(
            kind
        )


@pytest.mark.parametrize(
    ("version", "change", "reason", "detail"),
    [
        (FIRST, {"Answer_label": "E"}, RejectReason.INVALID_SAMPLE, "one of A, B, C, D, got 'E'"),
        (FIRST, {"Answer_label": "b"}, RejectReason.INVALID_SAMPLE, "got 'b'"),
        (FIRST, {"Answer": "CT"}, RejectReason.INVALID_SAMPLE, "Answer is another choice"),
        (FIRST, {"Answer_label": ""}, RejectReason.EMPTY_TEXT, "no text in field Answer_label"),
        (SECOND, {"Answer": "MRI"}, RejectReason.INVALID_SAMPLE, "got 'MRI'"),
        (SECOND, {"Answer": ""}, RejectReason.EMPTY_TEXT, "no text in field Answer"),
        (SECOND, {"Choice C": " C: "}, RejectReason.EMPTY_TEXT, "no text in field Choice C"),
        (SECOND, {"Choice C": None}, RejectReason.EMPTY_TEXT, "no text in field Choice C"),
        (SECOND, {"Question": " "}, RejectReason.EMPTY_TEXT, "no text in field Question"),
        (SECOND, {"Figure_path": ""}, RejectReason.EMPTY_TEXT, "no text in field Figure_path"),
        (SECOND, {"Question": 7}, RejectReason.INVALID_SAMPLE, "Question must hold text, got int"),
    ],
)
def test_what_is_no_question_is_rejected(root, version, change, reason, detail):
    with pytest.raises(SampleError, match=detail) as caught:
        LAYOUT.to_sample({**version, **change}, root)
    assert caught.value.reason is reason


def test_an_answer_in_other_words_than_its_choice_goes_by_its_label(root):
    sample = LAYOUT.to_sample({**FIRST, "Answer": "B: magnetic resonance"}, root)
    assert sample.messages[1].content == ("B",)


@given(st.data())
def test_only_sample_errors_escape(records_of, root, data):
    values = st.sampled_from(["a.jpg", "A", " B: x", ""])
    keys = ("Figure_path", "Question", "Answer", "Answer_label", *CHOICES, "index")
    fields = data.draw(records_of(*keys, values=values) | st.just(FIRST))
    changed = {**fields, **data.draw(records_of(*keys, values=values))}
    for row in (fields, changed):
        LAYOUT.matches(row)
        try:
            sample = LAYOUT.to_sample(row, root)
        except SampleError:
            continue
        assert sample.messages[1].content[0] in "ABCD"
