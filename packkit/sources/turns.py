"""Conversations as tools write them: turns of any spelling, with their images and masks.

A turn is ``{"role" | "from" | "speaker": ..., "content" | "value" | "text": ...}``, or a pair
``{"user": ..., "assistant": ...}``. Its content is a text, in which ``<image>`` stands for the next
image, or a list of parts as OpenAI and Hugging Face write them. ``train``, ``loss``, ``weight`` and
``loss_weight`` say whether it is trained. Any other key is an error: a turn is read whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from packkit.base.errors import RejectReason, SampleError, invalid_sample
from packkit.images import DataRoot, ImageRef
from packkit.samples import Content, Message
from packkit.samples.sample_json import kind_of
from packkit.sources.base import image_from_field
from packkit.sources.conventions import IMAGE_MARKER, MASK_KEYS
from packkit.sources.unused import check_field

_ROLE_KEYS = ("role", "from", "speaker")
_CONTENT_KEYS = ("content", "value", "text")
_SPEAKERS = {
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "model", "bot", "chatgpt", "ai"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
}
# Where the_cauldron and FineVision say which of their sets a pair of turns is from.
_PAIR_KEYS = frozenset({"user", "assistant", "source"})
_OWN_KEYS = frozenset({"image", "images"})
_IMAGE_TYPES = frozenset({"image", "image_url", "input_image"})
_TEXT_TYPES = frozenset({"text", "input_text", "output_text"})
_IMAGE_KEYS = ("image", "image_url", "path", "url", "bytes")
# How finely OpenAI looks at an image; what index numbers is checked.
_PART_KEYS = frozenset({"type", "text", "index", "detail", *_IMAGE_KEYS})
_MARKER = re.compile(rf"\n?{re.escape(IMAGE_MARKER)}\n?")


def placed(text: str, images: int) -> Content:
    """Returns a text with its images: where its markers stand, or first where it has none.

    Args:
        text: Text of a row, such as a caption or a question.
        images: Number of images of the row.

    Raises:
        SampleError: Markers and images differ in number.
    """
    if IMAGE_MARKER not in text:
        return (*(None for _ in range(images)), text)
    pieces = _MARKER.split(text)
    if len(pieces) - 1 != images:
        raise _unplaced(len(pieces) - 1, images)
    parts: list[str | None] = [pieces[0]] if pieces[0] else []
    for piece in pieces[1:]:
        parts += [None, piece] if piece else [None]
    return tuple(parts)


def _unplaced(places: int, images: int) -> SampleError:
    detail = f"{places} places for images in the text, {images} images"
    return SampleError(RejectReason.IMAGE_COUNT, detail)


@dataclass(slots=True)
class _Images:
    """The images of a record, taken as its text comes to them.

    Attributes:
        root: Folder of image paths.
        given: Images that stand beside the turns.
        taken: Images in the order of their places in the text.
        used: Numbers of the given images that have a place.
        next: Number of the next of the given ones.
    """

    root: DataRoot
    given: Sequence[bytes | ImageRef]
    taken: list[bytes | ImageRef] = field(default_factory=list)
    used: set[int] = field(default_factory=set)
    next: int = 0

    def take(self, index: int | None = None) -> None:
        """Takes the next of the given images, or that of a number."""
        number = self.next if index is None else index
        if not 0 <= number < len(self.given):
            detail = f"the text asks for image {number}, {len(self.given)} are given"
            raise SampleError(RejectReason.IMAGE_COUNT, detail)
        self.next = number + 1
        self.used.add(number)
        self.taken.append(self.given[number])


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns and their images.

    Attributes:
        messages: The turns.
        images: An image for each image part, in order.
    """

    messages: tuple[Message, ...]
    images: tuple[bytes | ImageRef, ...]


def read_conversation(
    turns: object,
    images: Sequence[bytes | ImageRef],
    root: DataRoot,
    *,
    system: object = None,
) -> Conversation:
    """Reads the turns of a record.

    Where no turn has a place for an image, those beside the turns come first in the first turn of
    the user.

    Args:
        turns: List of turns or pairs of turns.
        images: Images that stand beside the turns, in order.
        root: Folder of image paths.
        system: System prompt that stands beside the turns; None without any.

    Raises:
        SampleError: A turn is malformed, has a key that is not known, or its places for images and
            the images differ in number.
    """
    if not isinstance(turns, list):
        raise invalid_sample(f"turns must be a list, got {kind_of(turns)}")
    taken = _Images(root, images)
    messages: list[Message] = []
    for number, turn in enumerate(turns):
        try:
            messages += _read_turn(turn, taken)
        except SampleError as error:
            raise SampleError(error.reason, f"turn {number}: {error.detail}") from None
    if system is not None and system != "":
        messages = _with_system(messages, system)
    if images and not taken.taken:
        messages = _images_first(messages, len(images))
        return Conversation(tuple(messages), tuple(images))
    if len(taken.used) < len(images):
        raise _unplaced(len(taken.used), len(images))
    return Conversation(tuple(messages), tuple(taken.taken))


def _read_turn(turn: object, images: _Images) -> list[Message]:
    if not isinstance(turn, Mapping):
        raise invalid_sample(f"must be an object, got {kind_of(turn)}")
    # Tables give every turn the same keys, and null where it has none.
    turn = {key: value for key, value in turn.items() if value is not None}
    if "user" in turn or "assistant" in turn:
        return _read_pair(turn, images)
    role_key, content_key = _only(turn, _ROLE_KEYS), _only(turn, _CONTENT_KEYS)
    role = _role(turn[role_key])
    known = MASK_KEYS if role == "system" else MASK_KEYS | _OWN_KEYS
    for key in turn.keys() - {role_key, content_key} - known:
        _refuse(key, turn[key])
    if role == "system":
        content = _read_content(turn[content_key], images, has_markers=False)
    else:
        content = _read_own(turn, turn[content_key], images)
    return [Message(role, content, _mask(turn))]


def _read_pair(turn: Mapping[str, Any], images: _Images) -> list[Message]:
    for key in turn.keys() - _PAIR_KEYS - _OWN_KEYS - MASK_KEYS:
        _refuse(key, turn[key])
    first, *others = (role for role in ("user", "assistant") if role in turn)
    contents = {first: _read_own(turn, turn[first], images)}
    for role in others:
        contents[role] = _read_content(turn[role], images, has_markers=True)
    mask = _mask(turn)
    return [
        Message(role, content, mask if role == "assistant" else None)
        for role, content in contents.items()
    ]


def _read_own(turn: Mapping[str, Any], content: object, images: _Images) -> Content:
    """Reads a content whose turn may bring images: they stand where it has places, or first."""
    brought = images_of(turn, images.root)
    if not brought:
        return _read_content(content, images, has_markers=True)
    its = _Images(images.root, brought)
    parts = _read_content(content, its, has_markers=True)
    if not its.taken:
        its.taken, parts = brought, (None,) * len(brought) + parts
    elif len(its.used) < len(brought):
        raise _unplaced(parts.count(None), len(brought))
    images.taken += its.taken
    return parts


def _only(turn: Mapping[str, Any], names: tuple[str, ...]) -> str:
    keys = [name for name in names if name in turn]
    if len(keys) != 1:
        raise invalid_sample(
            f"must have one of {', '.join(names)}, has {', '.join(turn) or 'none'}"
        )
    return keys[0]


def _refuse(key: str, value: object) -> None:
    """Rejects a key of a turn or part that is not known."""
    check_field(key, value, has_images=True)
    raise invalid_sample(f"the key {key!r} is not read; ignore {key} where it does not matter")


def _role(speaker: object) -> str:
    role = _SPEAKERS.get(speaker.lower()) if isinstance(speaker, str) else None
    if role is None:
        raise invalid_sample(
            f"the speaker must be one of {', '.join(_SPEAKERS)}, got {kind_of(speaker)}"
        )
    return role


def _mask(turn: Mapping[str, Any]) -> bool | None:
    """Returns whether a turn says that it is trained; None where it says nothing."""
    said = {key: turn[key] for key in sorted(MASK_KEYS) if key in turn}
    for key, value in said.items():
        if not isinstance(value, bool | int | float) or value not in (0, 1):
            raise invalid_sample(f"{key} must be true, false, 0 or 1, got {kind_of(value)}")
    values = set(map(bool, said.values()))
    if len(values) > 1:
        raise invalid_sample(f"{' and '.join(said)} disagree on whether the turn is trained")
    return values.pop() if values else None


def _read_content(content: object, images: _Images, *, has_markers: bool) -> Content:
    if isinstance(content, str):
        return _split(content, images) if has_markers else (content,)
    if not isinstance(content, list):
        raise invalid_sample(f"content must be a text or a list of parts, got {kind_of(content)}")
    parts: list[str | None] = []
    for number, part in enumerate(content):
        try:
            parts += _read_part(part, images)
        except SampleError as error:
            raise SampleError(error.reason, f"part {number}: {error.detail}") from None
    return tuple(parts)


def _split(text: str, images: _Images) -> Content:
    """Returns a text with every marker turned into a place for the next image."""
    parts: list[str | None] = []
    for number, piece in enumerate(_MARKER.split(text)):
        if number:
            images.take()
            parts.append(None)
        parts += [piece] if piece else []
    return tuple(parts)


def _read_part(part: object, images: _Images) -> Content:
    if isinstance(part, str):
        return (part,)
    if not isinstance(part, Mapping):
        raise invalid_sample(f"must be an object, got {kind_of(part)}")
    part = {key: value for key, value in part.items() if value is not None}
    for key in part.keys() - _PART_KEYS:
        _refuse(key, part[key])
    kind = part.get("type", "text" if "text" in part else "image")
    image_keys = [key for key in _IMAGE_KEYS if key in part]
    if kind in _TEXT_TYPES and not image_keys and isinstance(part.get("text"), str):
        return (part["text"],)
    if kind in _IMAGE_TYPES and len(image_keys) <= 1 and not part.get("text"):
        if image_keys:
            key = image_keys[0]
            images.taken.append(_image_of(part[key], key, images.root))
        else:
            images.take(_index(part))
        return (None,)
    if kind not in _IMAGE_TYPES | _TEXT_TYPES:
        check_field(str(kind), "given", has_images=False)
    raise invalid_sample(
        f"must be a text or an image, got type {kind_of(kind)} with {', '.join(sorted(part))}"
    )


def _index(part: Mapping[str, Any]) -> int | None:
    index = part.get("index")
    if index is not None and (isinstance(index, bool) or not isinstance(index, int)):
        raise invalid_sample(f"index must be a whole number, got {kind_of(index)}")
    return index


def _image_of(value: object, key: str, root: DataRoot) -> bytes | ImageRef:
    if key == "bytes":
        return image_from_field({"bytes": value} if isinstance(value, str) else value, root)
    if isinstance(value, Mapping) and isinstance(value.get("url"), str):
        value = value["url"]
    return image_from_field(value, root)


def images_of(fields: Mapping[str, Any], root: DataRoot) -> list[bytes | ImageRef]:
    """Returns the images under ``images`` or ``image``; an empty spelling of one is none.

    Raises:
        SampleError: Both hold images, or a value is no image.
    """
    named = {key: fields[key] for key in ("image", "images") if not _is_empty(fields.get(key))}
    if len(named) > 1:
        raise SampleError(RejectReason.UNUSED_MEDIA, "both image and images hold images")
    for value in named.values():
        values = value if isinstance(value, list) else [value]
        return [image_from_field(item, root) for item in values if not _is_empty(item)]
    return []


def _is_empty(value: object) -> bool:
    match value:
        case None | "" | [] | {"bytes": None | b"" | "", "path": None | ""}:
            return True
        case list():
            return all(map(_is_empty, value))
    return False


def _with_system(messages: list[Message], system: object) -> list[Message]:
    if not isinstance(system, str):
        raise invalid_sample(f"system must be a text, got {kind_of(system)}")
    if any(message.role == "system" for message in messages):
        raise SampleError(
            RejectReason.UNUSED_PROMPT, "system stands beside the turns and among them"
        )
    return [Message("system", (system,)), *messages]


def _images_first(messages: list[Message], count: int) -> list[Message]:
    """Puts the images before the first user turn's text, where nothing places them."""
    for number, message in enumerate(messages):
        if message.role == "user":
            first = replace(message, content=(None,) * count + message.content)
            return [*messages[:number], first, *messages[number + 1 :]]
    raise SampleError(RejectReason.IMAGE_COUNT, f"{count} images, and no turn of a user")
