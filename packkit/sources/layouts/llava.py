"""LLaVA: ``{"id", "image": path | [paths], "conversations": [{"from", "value"}]}``.

``<image>`` in a human turn stands for the next image, with the line break beside it; where no turn
has one, the images come first. A gpt turn's ``<image>`` is text, as it is for the model.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from packkit.base.errors import RejectReason, SampleError, invalid_sample
from packkit.images import DataRoot
from packkit.samples import Content, Message, Sample
from packkit.sources.base import Fields, FixedLayout, id_from_field, image_from_field, rest_as_meta

_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant"}
_MARKER = re.compile(r"\n?<image>\n?")
_USED = {"id", "image", "images", "conversations"}


class LlavaLayout(FixedLayout):
    """Conversations of human and gpt, with no image, one, or several."""

    name: ClassVar[str] = "llava"

    def matches(self, fields: Fields) -> bool:
        """Whether there are conversations."""
        return "conversations" in fields

    def to_sample(self, fields: Fields, root: DataRoot) -> Sample:
        """Reads a conversation.

        Raises:
            SampleError: A turn is malformed, or markers and images differ in number.
        """
        turns = fields.get("conversations")
        if not isinstance(turns, list):
            raise invalid_sample("conversations must be a list")
        images = [image_from_field(image, root) for image in _paths(fields)]
        messages = [_message(turn) for turn in turns]
        if images and not any(None in message.content for message in messages):
            messages = _images_first(messages, len(images))
        return Sample(
            id=id_from_field(fields, "id"),
            messages=tuple(messages),
            images=tuple(images),
            meta=rest_as_meta(fields, _USED),
        )


def _paths(fields: Fields) -> list[Any]:
    named = (fields[key] for key in ("image", "images") if fields.get(key) is not None)
    value: Any = next(named, [])
    return value if isinstance(value, list) else [value]


def _message(turn: object) -> Message:
    match turn:
        case {"from": "system", "value": str(text)}:
            return Message("system", (text,))
        case {"from": str(speaker), "value": str(text)} if speaker in _ROLES:
            role = _ROLES[speaker]
            return Message(role, _split_markers(text) if role == "user" else (text,))
    raise invalid_sample(f"a turn must have from and value, got {str(turn)[:80]}")


def _split_markers(text: str) -> Content:
    """Returns the text with every marker turned into an image part."""
    parts: list[str | None] = []
    for number, piece in enumerate(_MARKER.split(text)):
        parts += [None] if number else []
        parts += [piece] if piece else []
    return tuple(parts)


def _images_first(messages: list[Message], count: int) -> list[Message]:
    """Puts the images before the first user turn's text, where no marker places them."""
    for number, message in enumerate(messages):
        if message.role == "user":
            first = Message("user", (None,) * count + message.content)
            return [*messages[:number], first, *messages[number + 1 :]]
    raise SampleError(RejectReason.IMAGE_COUNT, f"{count} images but no human turn")
