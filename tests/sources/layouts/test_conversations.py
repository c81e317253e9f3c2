import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError
from packkit.samples import Message
from packkit.sources.layouts.conversations import LlavaLayout

LAYOUT = LlavaLayout({})


def human(text):
    return {"from": "human", "value": text}


def gpt(text):
    return {"from": "gpt", "value": text}


def record(*turns, **more):
    return {"conversations": list(turns), **more}


def contents(sample):
    return [message.content for message in sample.messages]


def reason_of(fields, root):
    with pytest.raises(SampleError) as caught:
        LAYOUT.to_sample(fields, root)
    return caught.value.reason


def test_matches():
    assert LAYOUT.matches({"conversations": None})
    assert not LAYOUT.matches({"messages": []})


@pytest.mark.parametrize(
    ("text", "images", "content"),
    [
        ("<image>\nWhat?", 1, (None, "What?")),
        ("What?\n<image>", 1, ("What?", None)),
        ("Look: <image> What?", 1, ("Look: ", None, " What?")),
        ("a\n<image>\nb", 1, ("a", None, "b")),
        ("a\n\n<image>\n\nb", 1, ("a\n", None, "\nb")),
        ("<image>", 1, (None,)),
        ("<image><image>", 2, (None, None)),
        ("<image>\n<image>\nCompare.", 2, (None, None, "Compare.")),
        ("First <image> then <image>.", 2, ("First ", None, " then ", None, ".")),
        ("<image> and <img> and < image>", 1, (None, " and <img> and < image>")),
        ("No picture.", 0, ("No picture.",)),
    ],
)
def test_markers(root, text, images, content):
    fields = record(human(text), gpt("So."), image=["a.jpg", "b.png"][:images])
    sample = LAYOUT.to_sample(fields, root)
    assert contents(sample) == [content, ("So.",)]
    assert len(sample.images) == images


@given(st.lists(st.sampled_from(["<image>", "\n", "a", " b"]), max_size=10))
def test_markers_take_one_line_break_on_each_side_and_nothing_else(root, pieces):
    text = "".join(pieces)
    count = text.count("<image>")
    fields = record(human(text), gpt("x"), image=["a.jpg"] * count)
    content = LAYOUT.to_sample(fields, root).messages[0].content
    assert content.count(None) == count
    kept = "".join(part or "" for part in content)
    assert kept.replace("\n", "") == text.replace("<image>", "").replace("\n", "")
    assert 0 <= text.count("\n") - kept.count("\n") <= 2 * count
    assert "" not in content


def test_images_go_to_the_markers_in_order(root, picture):
    fields = record(
        human("<image>\nOne?"), gpt("1"), human("Two? <image>"), gpt("2"), image=["a.jpg", "b.png"]
    )
    sample = LAYOUT.to_sample(fields, root)
    assert contents(sample) == [(None, "One?"), ("1",), ("Two? ", None), ("2",)]
    assert [sample.image_bytes(0), sample.image_bytes(1)] == [picture("JPEG"), picture("PNG")]


@pytest.mark.parametrize("images", [1, 2, 3])
def test_images_without_a_marker_come_first(root, images):
    # PubMedVision has no markers at all.
    turns = {"from": "system", "value": "Be brief."}, human("What?"), gpt("So."), human("And?")
    sample = LAYOUT.to_sample(record(*turns, image=["a.jpg"] * images), root)
    first = (None,) * images + ("What?",)
    assert contents(sample) == [("Be brief.",), first, ("So.",), ("And?",)]


def test_images_without_a_human_turn(root):
    fields = record(gpt("So."), image="a.jpg")
    assert reason_of(fields, root) is RejectReason.IMAGE_COUNT


@pytest.mark.parametrize(
    ("text", "images"), [("<image>", 0), ("<image>", 2), ("<image><image>", 1), ("a <image>", 3)]
)
def test_markers_and_images_must_agree(root, text, images):
    fields = record(human(text), gpt("x"), image=["a.jpg"] * images)
    assert reason_of(fields, root) is RejectReason.IMAGE_COUNT
    if images == 0:
        assert reason_of(record(human(text), gpt("x")), root) is RejectReason.IMAGE_COUNT


@pytest.mark.parametrize("speaker", ["gpt", "assistant"])
def test_markers_in_answers_are_images_too(root, speaker):
    turn = {"from": speaker, "value": "See <image>\n."}
    assert (
        reason_of(record(human("<image>"), turn, image="a.jpg"), root) is RejectReason.IMAGE_COUNT
    )
    sample = LAYOUT.to_sample(record(human("<image>"), turn, image=["a.jpg", "b.png"]), root)
    assert contents(sample) == [(None,), ("See ", None, ".")]


def test_markers_of_a_system_prompt_are_text(root):
    turn = {"from": "system", "value": "See <image>\n."}
    sample = LAYOUT.to_sample(record(turn, human("<image>"), image="a.jpg"), root)
    assert contents(sample) == [("See <image>\n.",), (None,)]


@pytest.mark.parametrize(
    ("images", "count"),
    [
        ({}, 0),
        ({"image": None}, 0),
        ({"image": []}, 0),
        ({"image": "a.jpg"}, 1),
        ({"image": ["a.jpg", "b.png"]}, 2),
        ({"images": ["a.jpg"]}, 1),
        ({"image": None, "images": ["a.jpg", "b.png"]}, 2),
        ({"image": {"path": "a.jpg"}}, 1),
        ({"image": ""}, 0),
        ({"image": {"bytes": None, "path": None}}, 0),
        ({"image": ["a.jpg", None]}, 1),
        ({"image": [None, ""], "images": "a.jpg"}, 1),
    ],
)
def test_forms_of_the_image_field(root, images, count):
    sample = LAYOUT.to_sample(record(human("What?"), gpt("So."), **images), root)
    assert len(sample.images) == count
    assert sample.meta == {}


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("", RejectReason.IMAGE_COUNT),
        ([None], RejectReason.IMAGE_COUNT),
        ("../x.jpg", RejectReason.UNSAFE_PATH),
        (5, RejectReason.INVALID_SAMPLE),
    ],
)
def test_images_that_are_none(root, image, reason):
    assert reason_of(record(human("<image>"), gpt("x"), image=image), root) is reason


@pytest.mark.parametrize(
    ("speaker", "role"),
    [
        ("human", "user"),
        ("Human", "user"),
        ("model", "assistant"),
        ("user", "user"),
        ("gpt", "assistant"),
        ("assistant", "assistant"),
        ("system", "system"),
    ],
)
def test_speakers(root, speaker, role):
    sample = LAYOUT.to_sample(record({"from": speaker, "value": "x"}), root)
    assert sample.messages == (Message(role, ("x",)),)


@pytest.mark.parametrize(
    "turn",
    [
        {"from": "bard", "value": "x"},
        {"from": "tool", "value": "x"},
        {"from": "human", "role": "user", "value": "x"},
        {"from": "human", "value": "x", "text": "y"},
        {"from": "human", "value": "x", "lang": "en"},
        {"from": None, "value": "x"},
        {"from": ["human"], "value": "x"},
        {"from": "human"},
        {"from": "human", "value": None},
        {"from": "human", "value": [5]},
        {"value": "x"},
        {},
        None,
        "x",
        ["human", "x"],
    ],
)
def test_turns_that_are_none(root, turn):
    assert reason_of(record(human("a"), turn), root) is RejectReason.INVALID_SAMPLE


@pytest.mark.parametrize("turns", [None, {}, "x", 5])
def test_conversations_must_be_a_list(root, turns):
    assert reason_of({"conversations": turns}, root) is RejectReason.INVALID_SAMPLE


def test_no_turn_at_all(root):
    assert reason_of(record(), root) is RejectReason.EMPTY_TEXT


@pytest.mark.parametrize(
    ("given_id", "id"), [(7, "7"), ("a", "a"), (None, None), (0, "0"), ("", "")]
)
def test_ids(root, given_id, id):
    assert LAYOUT.to_sample(record(gpt("x"), id=given_id), root).id == id


def test_other_keys_are_kept_in_meta(root):
    fields = record(gpt("x"), id=1, image=[], source="slake", domain={"ct": True}, none=None)
    assert LAYOUT.to_sample(fields, root).meta == {"source": "slake", "domain": {"ct": True}}


TURNS = st.fixed_dictionaries(
    {}, optional={"from": st.sampled_from(["human", "gpt"]), "value": st.just("<image>a")}
)


@given(st.data())
def test_only_sample_errors_escape(records_of, root, data):
    fields = data.draw(
        records_of(
            "conversations", "image", "images", "id", values=st.lists(TURNS) | st.just("a.jpg")
        )
    )
    LAYOUT.matches(fields)
    try:
        sample = LAYOUT.to_sample(fields, root)
    except SampleError:
        return
    assert sample.image_count == len(sample.images)
