"""Samples, their messages, and packs, all of them checked as they are made.

Canonical JSON, in a pack and as an input line (docs/format.md has a full example)::

    {"id": "slake/102",
     "messages": [{"role": "user", "content": [{"type": "image"},
                                              {"type": "text", "text": "Which plane?"}]},
                  {"role": "assistant", "content": "Axial."}],
     "images": ["<base64 of the original file>"],
     "meta": {"source": "slake"}}

A caption or an interleaved document has ``"content": [parts]`` in place of ``messages``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import pybase64

from packkit.base.errors import RejectReason, SampleError, invalid_sample
from packkit.images import ImageRef
from packkit.samples.sample_json import (
    Content,
    Origin,
    content_from_json,
    content_to_json,
    id_from_json,
    images_from_json,
    kind_of,
    meta_from_json,
    origin_from_json,
    token_limit_from_json,
)

ROLES = ("system", "user", "assistant")
"""Roles that a message may have."""

MAX_TOKEN_LIMIT = (1 << 31) - 1
"""Largest number of tokens at which a sample may be cut; lengths have 32 bits on disk."""

_MESSAGE_KEYS = frozenset({"role", "content", "train"})


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    Attributes:
        role: Speaker of the turn, ``system``, ``user`` or ``assistant``.
        content: Text and images of the turn in reading order.
        train: Whether the turn is trained; None means that assistant turns are, others not.

    Raises:
        SampleError: The role is none of these.
    """

    role: str
    content: Content
    train: bool | None = None

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise invalid_sample(
                f"role must be one of {', '.join(ROLES)}, got {kind_of(self.role)}"
            )

    @property
    def is_trained(self) -> bool:
        """Whether the loss covers this turn."""
        return self.role == "assistant" if self.train is None else self.train

    @classmethod
    def from_dict(cls, message: object) -> Self:
        """Reads a message from its JSON form.

        Raises:
            SampleError: The JSON is not that of a legal message.
        """
        if not isinstance(message, dict):
            raise invalid_sample(f"a message must be an object, got {kind_of(message)}")
        if extra := message.keys() - _MESSAGE_KEYS:
            raise invalid_sample(f"a message has no key {sorted(map(str, extra))[0]!r}")
        train = message.get("train")
        if train is not None and not isinstance(train, bool):
            raise invalid_sample(f"train must be true or false, got {kind_of(train)}")
        return cls(str(message.get("role")), content_from_json(message.get("content")), train)

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form."""
        message: dict[str, Any] = {"role": self.role, "content": content_to_json(self.content)}
        if self.train is not None:
            message["train"] = self.train
        return message


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One training example: a document or messages, and its images.

    Attributes:
        id: Name that the user gives to the sample; ids may repeat.
        messages: Turns of a conversation; exactly one of `messages` and `content` is given.
        content: Parts of a caption or of an interleaved document.
        images: Encoded image file, or a reference to one, for each image part, in order.
        meta: Anything that the user wants to keep beside the sample.
        token_limit: Number of tokens after which the sample is cut; None leaves it whole.
        origin: Place that the sample was read from, once it is in a pack.

    Raises:
        SampleError: The parts do not make a legal sample.

    >>> caption = Sample(content=(None, "Axial CT of the chest."), images=(b"\\x89PNG...",))
    >>> caption.image_count
    1
    >>> Sample.from_dict(caption.to_dict()).texts
    ('Axial CT of the chest.',)
    """

    id: str | None = None
    messages: tuple[Message, ...] | None = None
    content: Content | None = None
    images: tuple[bytes | ImageRef, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    token_limit: int | None = None
    origin: Origin | None = None

    def __post_init__(self) -> None:
        if (self.messages is None) == (self.content is None):
            raise invalid_sample("exactly one of messages and content must be given")
        if not (self.messages or self.content):
            raise SampleError(RejectReason.EMPTY_TEXT, "neither a message nor a part")
        if self.token_limit is not None and not 1 <= self.token_limit <= MAX_TOKEN_LIMIT:
            raise invalid_sample(
                f"token_limit must be in 1..{MAX_TOKEN_LIMIT}, got {kind_of(self.token_limit)}"
            )
        if self.image_count != len(self.images):
            raise SampleError(
                RejectReason.IMAGE_COUNT,
                f"{self.image_count} image parts but {len(self.images)} images",
            )

    @property
    def parts(self) -> Content:
        """Every part of the sample in reading order, turns joined."""
        if self.content is not None:
            return self.content
        return tuple(part for message in self.messages or () for part in message.content)

    @property
    def image_count(self) -> int:
        """Number of image parts."""
        return self.parts.count(None)

    @property
    def texts(self) -> tuple[str, ...]:
        """The text parts in reading order."""
        return tuple(part for part in self.parts if part is not None)

    @property
    def has_trained_text(self) -> bool:
        """Whether any text that the loss covers is more than white space."""
        if self.content is not None:
            return any(part and not part.isspace() for part in self.content)
        return any(
            part and not part.isspace()
            for message in self.messages or ()
            if message.is_trained
            for part in message.content
        )

    def image_bytes(self, index: int) -> bytes:
        """Returns the bytes of one image file, reading it where it stands.

        Raises:
            SampleError: The image cannot be read.
        """
        image = self.images[index]
        return image if isinstance(image, bytes) else image.read()

    @classmethod
    def from_dict(cls, record: object, *, images: Sequence[bytes | ImageRef] | None = None) -> Self:
        """Reads a sample from its canonical JSON form.

        Keys that the canonical form does not have are kept under ``meta``.

        Args:
            record: The parsed JSON.
            images: The images, where they do not stand in the record as base64; they win over it.

        Raises:
            SampleError: The JSON is not that of a legal sample.
        """
        if not isinstance(record, dict):
            raise invalid_sample(f"a sample must be an object, got {kind_of(record)}")
        messages, content = record.get("messages"), record.get("content")
        if messages is not None and not isinstance(messages, list):
            raise invalid_sample(f"messages must be a list, got {kind_of(messages)}")
        return cls(
            id=id_from_json(record.get("id")),
            messages=None if messages is None else tuple(map(Message.from_dict, messages)),
            content=None if content is None else content_from_json(content),
            images=tuple(images_from_json(record.get("images")) if images is None else images),
            meta=meta_from_json(record),
            token_limit=token_limit_from_json(record.get("token_limit")),
            origin=origin_from_json(record.get("origin")),
        )

    def to_dict(self, *, with_images: bool = True) -> dict[str, Any]:
        """Returns the canonical JSON form; images last, as base64 of their unchanged bytes.

        Args:
            with_images: Whether ``images`` is there; writers that place images themselves leave
                it out.

        Raises:
            SampleError: An image cannot be read.
        """
        record: dict[str, Any] = {}
        if self.id is not None:
            record["id"] = self.id
        if self.messages is not None:
            record["messages"] = [message.to_dict() for message in self.messages]
        if self.content is not None:
            record["content"] = content_to_json(self.content)
        if self.meta:
            record["meta"] = dict(self.meta)
        if self.token_limit is not None:
            record["token_limit"] = self.token_limit
        if self.origin is not None:
            record["origin"] = self.origin._asdict()
        if with_images:
            record["images"] = [
                pybase64.b64encode_as_string(self.image_bytes(i)) for i in range(len(self.images))
            ]
        return record


@dataclass(frozen=True, slots=True)
class Pack:
    """A closed bin: samples that are trained side by side in one sequence.

    Attributes:
        data: Samples of the pack in the order of their segments.
        lengths: Number of tokens of each sample.

    Raises:
        ValueError: `data` and `lengths` differ in number.
    """

    data: tuple[Sample, ...]
    lengths: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.data) != len(self.lengths):
            raise ValueError(f"{len(self.data)} samples but {len(self.lengths)} lengths")

    @property
    def tokens(self) -> int:
        """Tokens used by the samples of the pack."""
        return sum(self.lengths)

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form, ``{"data": [...], "lengths": [...]}``."""
        return {
            "data": [sample.to_dict() for sample in self.data],
            "lengths": list(self.lengths),
        }
