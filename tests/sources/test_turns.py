"""Conversations of every spelling come out with the texts, images and masks that went in."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError
from packkit.samples import Message
from packkit.sources.turns import read_conversation

DATA = [f"image {number}".encode() for number in range(6)]


def url(data):
    return "data:image/png;base64," + base64.b64encode(data).decode()


texts = st.text(st.characters(codec="utf-8", exclude_characters="<[\n"), min_size=1, max_size=8)
# None is an image.
contents = st.lists(texts | st.none(), min_size=1, max_size=5)
masks = st.sampled_from([None, True, False])
conversations = st.lists(
    st.tuples(st.sampled_from(["user", "assistant"]), contents, masks), min_size=1, max_size=4
)


def joined(content):
    """The content as it is trained where its texts stand in one string."""
    parts = []
    for part in content:
        if part is not None and parts and parts[-1] is not None:
            parts[-1] += part
        else:
            parts.append(part)
    return tuple(parts)


NAMES = {"user": ("user", "human", "Human"), "assistant": ("assistant", "gpt", "MODEL")}
MASKS = [("train", bool), ("loss", int), ("weight", float), ("loss_weight", bool)]


def turn_of(draw, role, content, mask, images, style):
    role_key, content_key = draw(
        st.sampled_from(
            [("role", "content"), ("from", "value"), ("from", "content"), ("role", "value")]
        )
    )
    turn = {role_key: draw(st.sampled_from(NAMES[role]))}
    if style == "markers":
        turn[content_key] = "".join("<image>" if part is None else part for part in content)
    else:
        turn[content_key] = [part_of(draw, part, images, style) for part in content]
    if mask is not None:
        name, kind = draw(st.sampled_from(MASKS))
        turn[name] = kind(mask)
    if draw(st.booleans()):
        turn["lang"] = None
    return turn


def part_of(draw, part, images, style):
    """A part of the content; `images` are the bytes of those that stand in parts."""
    if part is not None:
        return draw(
            st.sampled_from(
                [
                    {"type": "text", "text": part},
                    {"text": part},
                    part,
                    {"type": "text", "text": part, "index": None, "image": None},
                ]
            )
        )
    if style == "places":
        return draw(st.sampled_from([{"type": "image"}, {"type": "image", "text": None}]))
    data = images.pop(0)
    return draw(
        st.sampled_from(
            [
                {"type": "image_url", "image_url": {"url": url(data), "detail": "low"}},
                {"type": "image_url", "image_url": url(data)},
                {"type": "image", "image": url(data)},
                {"type": "image", "bytes": data},
                {"type": "image", "image": {"bytes": data, "path": None}},
            ]
        )
    )


@given(conversations, st.sampled_from(["markers", "places", "own"]), st.data())
def test_texts_images_and_masks_come_out_as_they_went_in(root, turns, style, data):
    count = sum(content.count(None) for _, content, _ in turns)
    images = [DATA[number % len(DATA)] for number in range(count)]
    own = list(images)
    written = [turn_of(data.draw, *turn, own, style) for turn in turns]
    given_images = [] if style == "own" else images
    conversation = read_conversation(written, given_images, root)
    expected = tuple(
        Message(role, joined(content) if style == "markers" else tuple(content), mask)
        for role, content, mask in turns
    )
    assert conversation.messages == expected
    read = [image if isinstance(image, bytes) else image.read() for image in conversation.images]
    assert read == images


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("What?", (None, None, "What?")),
        ("This<image>or<image>?", ("This", None, "or", None, "?")),
        ([{"type": "text", "text": "What?"}, {"type": "image"}, {"type": "image"}], None),
    ],
)
@pytest.mark.parametrize("spelling", ["turn", "pair"])
def test_images_of_a_turn_stand_in_it(root, content, expected, spelling):
    turn = user(content) if spelling == "turn" else {"user": content}
    turns = [{**turn, "images": DATA[1:3]}, {**turn, "images": DATA[3:5]}]
    conversation = read_conversation([user("<image>"), *turns], [DATA[0]], root)
    expected = expected or ("What?", None, None)
    assert [message.content for message in conversation.messages] == [(None,), expected, expected]
    assert list(conversation.images) == DATA[:5]


def test_images_of_an_answer_stand_in_the_answer(root):
    conversation = read_conversation([{"assistant": "A.", "image": DATA[0]}], [], root)
    assert conversation.messages == (Message("assistant", (None, "A.")),)


def reason_of(turns, root, images=(), **more):
    with pytest.raises(SampleError) as caught:
        read_conversation(turns, images, root, **more)
    return caught.value.reason, caught.value.detail


def user(content):
    return {"role": "user", "content": content}


@pytest.mark.parametrize(
    ("turns", "images", "reason", "detail"),
    [
        ([user("<image>")], 0, "image_count", "turn 0: the text asks for image 0, 0 are given"),
        ([user("<image>")], 2, "image_count", "1 places for images in the text, 2 images"),
        ([user([{"type": "image", "index": 5}])], 2, "image_count", "asks for image 5, 2 are"),
        ([user([{"type": "image", "index": 1}])], 2, "image_count", "1 places"),
        ([user([{"type": "image", "index": True}])], 1, "invalid_sample", "index must be a whole"),
        ([user([{"type": "video", "video": "a.mp4"}])], 0, "unused_media", "the key 'video'"),
        ([user([{"type": "video"}])], 0, "unused_media", "the key 'video'"),
        ([user([{"type": "input_audio", "input_audio": {}}])], 0, "invalid_sample", "input_audio"),
        ([user([{"type": "text"}])], 0, "invalid_sample", "must be a text or an image, got type"),
        (
            [user([{"type": "text", "text": "a", "image": "a.jpg"}])],
            0,
            "invalid_sample",
            "got type",
        ),
        ([user([{"type": "image", "image": "a.jpg", "url": "b.jpg"}])], 0, "invalid_sample", "got"),
        ([{**user("a"), "image_path": "a.jpg"}], 0, "unused_media", "the key 'image_path'"),
        ([{"role": "system", "content": "a", "image": "a.jpg"}], 0, "unused_media", "turn 0: the"),
        ([{**user("<image>"), "images": ["a.jpg"] * 2}], 0, "image_count", "1 places for images"),
        ([{**user("<image>" * 2), "image": "a.jpg"}], 0, "image_count", "asks for image 1, 1 are"),
        ([{**user("a"), "image": "a.jpg"}], 1, "image_count", "0 places for images"),
        ([{**user("a"), "loss": 0.5}], 0, "invalid_sample", "loss must be true, false, 0 or 1"),
        ([{**user("a"), "loss": 0, "weight": 1}], 0, "invalid_sample", "loss and weight disagree"),
        ([{**user("a"), "loss_mask": [1]}], 0, "unused_mask", "the key 'loss_mask'"),
        ([{**user("a"), "tool_calls": [1]}], 0, "unused_prompt", "the key 'tool_calls'"),
        ([{"role": "tool", "content": "a"}], 0, "invalid_sample", "the speaker must be one of"),
        ([{"role": "assistant", "content": "a"}], 1, "image_count", "no turn of a user"),
        ([user(5)], 0, "invalid_sample", "content must be a text or a list of parts"),
        ("x", 0, "invalid_sample", "turns must be a list"),
    ],
)
def test_what_is_not_understood_rejects_with_its_place(root, turns, images, reason, detail):
    said = reason_of(turns, root, DATA[:images])
    assert said[0].value == reason
    assert detail in said[1]


def test_an_image_may_stand_in_several_places_by_its_number(root):
    parts = [{"type": "image", "index": index} for index in (1, 0, 1)]
    assert read_conversation([user(parts)], DATA[:2], root).images == (DATA[1], DATA[0], DATA[1])


def test_pairs_of_turns_may_have_images_of_their_own(root, picture):
    turns = [
        {"images": ["a.jpg"], "user": "What?", "assistant": "A."},
        {"user": "And?", "assistant": "B.", "train": False},
    ]
    conversation = read_conversation(turns, [], root)
    assert conversation.messages == (
        Message("user", (None, "What?")),
        Message("assistant", ("A.",)),
        Message("user", ("And?",)),
        Message("assistant", ("B.",), False),
    )
    assert conversation.images[0].read() == picture()


def test_a_system_prompt_beside_the_turns_comes_first(root):
    messages = read_conversation([user("a")], [], root, system="Be brief.").messages
    assert messages[0] == Message("system", ("Be brief.",))
    assert read_conversation([user("a")], [], root, system="").messages == messages[1:]
    twice = [{"role": "system", "content": "x"}, user("a")]
    assert reason_of(twice, root, system="Be brief.")[0] is RejectReason.UNUSED_PROMPT
    assert reason_of([user("a")], root, system=5)[0] is RejectReason.INVALID_SAMPLE
