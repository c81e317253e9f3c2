"""What looks like training data and is not read rejects its record, by the name of the key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError
from packkit.images import RangeImage
from packkit.sources.conventions import is_media_key, looks_like_media, unread_marker

TURNS = [{"from": "human", "value": "What?"}, {"from": "gpt", "value": "A heart."}]


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("image_path", "a.jpg", "unused_media"),
        ("img", "a.jpg", "unused_media"),
        ("imageFile", "scans/0001", "unused_media"),
        ("IMAGE2", {"bytes": "AAAA"}, "unused_media"),
        ("image_id", "0", "unused_media"),
        ("video", "a.mp4", "unused_media"),
        ("audios", ["x"], "unused_media"),
        ("file", "scans/a.png", "unused_media"),
        ("anything", ["https://example.org/a.webp?x=1"], "unused_media"),
        ("blob", {"bytes": None, "path": "a"}, "unused_media"),
        ("data", "data:image/png;base64,AAAA", "unused_media"),
        ("data", "/9j/" + "A" * 5000, "unused_media"),
        ("part", RangeImage("a.tar", 0, 1), "unused_media"),
        ("meta_data", {"of": {"scan": "a.jpg"}}, "unused_media"),
        ("objects", {"ref": ["lung"], "bbox": [[1, 2, 3, 4]]}, "unused_prompt"),
        ("instruction", "Answer briefly.", "unused_prompt"),
        ("loss", 1, "unused_mask"),
        ("train", True, "unused_mask"),
        ("loss_mask", [0, 1], "unused_mask"),
        ("tools", [{"name": "zoom"}], "unused_prompt"),
        ("System_Prompt", "Be brief.", "unused_prompt"),
        ("my_system", "You are a careful radiologist", "unused_prompt"),
        ("history", [["a", "b"]], "unused_turns"),
        ("rejected", "A liver.", "unused_turns"),
        ("chosen", {"from": "gpt", "value": "A heart."}, "unused_turns"),
        ("dialog", [{"role": "user", "content": "x"}], "unused_turns"),
        ("label", False, "unused_turns"),
        ("loss", 0, "unused_mask"),
        ("train", False, "unused_mask"),
    ],
)
def test_a_key_that_looks_trained_rejects_and_can_be_ignored(read, key, value, reason):
    fields = {"conversations": TURNS, key: value}
    with pytest.raises(SampleError) as caught:
        read(fields)
    assert caught.value.reason.value == reason
    assert repr(key) in caught.value.detail and f"ignore {key}" in caught.value.detail
    assert read(fields, ignored=[key]) == read({"conversations": TURNS})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("source", "slake"),
        ("mediastinum", "wide"),
        ("imaging_system", "MR 3T"),
        ("organ_system", "central nervous system"),
        ("image_path", None),
        ("num_images", 0),
        ("has_image", False),
        ("url", "https://example.org/page.html"),
        ("note", "See fig. 2."),
        ("score", 0.5),
        ("labels", ["CT"]),
        ("label", "CT"),
        ("objects", [{"name": "lung"}]),
        ("meta_data", {"of": {"page": "a.html"}}),
    ],
)
def test_what_looks_like_none_is_carried_along(read, key, value):
    sample = read({"conversations": TURNS, key: value})
    assert sample.meta == ({} if value is None else {key: value})


@pytest.mark.parametrize(
    ("key", "value", "is_read"),
    [
        # Beside an image, where it comes from is no other image.
        ("url", "https://example.org/a.jpg", True),
        ("file", "a.jpg", True),
        ("image_id", "0", True),
        ("image_width", 640, True),
        ("meta_data", {"of": {"scan": "a.jpg"}}, True),
        ("image_path", "a.jpg", False),
        ("video", "a.mp4", False),
        ("mask", {"bytes": "AAAA", "path": None}, False),
    ],
)
def test_beside_an_image_that_is_read_others_are_told_by_key_or_bytes(read, key, value, is_read):
    fields = {"conversations": TURNS, "image": "a.jpg", key: value}
    if is_read:
        assert read(fields).meta == {key: value}
        return
    with pytest.raises(SampleError) as caught:
        read(fields)
    assert caught.value.reason is RejectReason.UNUSED_MEDIA


MARKERS = (
    "<image1> <image_00> <|image_1|> <image_placeholder> <|vision_start|> <|image_pad|> [IMG] "
    "[IMAGE_2] <ImageHere> <|image|> <img></img> <Image> <image/> <video> <|video_pad|> <audio> "
    "<|audio|> <ref-object> <bbox> <start_of_image> <IMG_CONTEXT> <im_patch> <image_soft_token> "
    "<|begin_of_image|> </img>"
)


@pytest.mark.parametrize("marker", [*MARKERS.split(), "<image >", "< image >"])
def test_an_unread_marker_in_a_prompt_rejects_and_can_be_ignored(read, marker):
    turns = [{"from": "human", "value": f"{marker}\nWhat?"}, TURNS[1]]
    fields = {"conversations": turns, "image": "a.jpg"}
    with pytest.raises(SampleError) as caught:
        read(fields)
    assert caught.value.reason is RejectReason.UNKNOWN_MARKER
    found = unread_marker(marker)
    assert repr(found) in caught.value.detail
    assert f"{marker}\nWhat?" in read(fields, ignored=[found, "</img>"]).texts
    # An answer may speak of one.
    read({"conversations": [TURNS[0], {"from": "gpt", "value": f"Write {marker}."}]})


@pytest.mark.parametrize(
    "text",
    ["a < b > c", "<b>image</b>", "[image]", "[1]", "<imagery>", "x<|im_end|>", "<think>", "<p>"],
)
def test_other_text_is_no_marker(text):
    assert unread_marker(text) is None


def test_text_of_canonical_records_is_text(read):
    fields = {"content": ["<image1>"], "meta": {"image_path": "a.jpg"}}
    assert read({**fields, "content": "<image1>"}, "packkit").meta == fields["meta"]
    with pytest.raises(SampleError, match="unused_media"):
        read({"content": "x", "image_path": "a.jpg"}, "packkit")


def test_ignored_keys_are_left_out_of_turns_and_parts(read):
    part = {"type": "text", "text": "What?", "min_pixels": 4}
    turns = [
        {"role": "user", "content": [part], "lang": "en"},
        {"role": "assistant", "content": "x"},
    ]
    fields = {"messages": turns}
    with pytest.raises(SampleError, match="turn 0: the key 'lang' is not read"):
        read(fields, "messages")
    with pytest.raises(SampleError, match="turn 0: part 0: the key 'min_pixels' is not read"):
        read(fields, "messages", ["lang"])
    assert read(fields, "messages", ["lang", "min_pixels"]).texts == ("What?", "x")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=8))
def test_any_json_value_is_told_without_an_error(value):
    looks_like_media(value)
    is_media_key(str(value))
    unread_marker(str(value))
