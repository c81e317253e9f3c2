"""What a legal sample and a legal pack are, said once.

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
from typing import Any, NamedTuple, Protocol, Self

import pybase64

from packkit.errors import RejectReason, SampleError

__all__ = [
    "ROLES",
    "Base64Image",
    "Content",
    "ImagePeek",
    "ImageRef",
    "Message",
    "Origin",
    "Pack",
    "Sample",
]

ROLES = ("system", "user", "assistant")

Content = tuple[str | None, ...]
"""Parts of a turn or a document in reading order: a string is text, None is the next image."""

_SAMPLE_KEYS = frozenset({"id", "messages", "content", "images", "meta", "token_limit", "origin"})
_MESSAGE_KEYS = frozenset({"role", "content", "train"})
_PART_KEYS = frozenset({"type", "text"})


class ImagePeek(NamedTuple):
    """What is known of an image file without reading all of it.

    Attributes:
        head: its first bytes; all of them where they had to be read anyway.
        size: bytes of the whole file.
        mtime_ns: modification time, nanoseconds; 0 where it is not a file of its own.
    """

    head: bytes
    size: int
    mtime_ns: int


class ImageRef(Protocol):
    """An image file that stands somewhere else and is read when it is needed."""

    def peek(self, size: int) -> ImagePeek:
        """Returns at least the first `size` bytes, where the file has as many.

        Raises:
            SampleError: the image cannot be read.
        """

    def read(self) -> bytes:
        """Returns the bytes of the image file.

        Raises:
            SampleError: the image cannot be read.
        """


@dataclass(frozen=True, slots=True)
class Base64Image:
    """An image file that stands in its record as base64.

    Attributes:
        text: standard base64 with padding.
    """

    text: str

    def peek(self, size: int) -> ImagePeek:
        """Returns all bytes: base64 is only known to be sound once it is decoded.

        Raises:
            SampleError: `text` is not standard base64.
        """
        data = self.read()
        return ImagePeek(data, len(data), 0)

    def read(self) -> bytes:
        """Returns the decoded bytes.

        Raises:
            SampleError: `text` is not standard base64.
        """
        try:
            # Without validate=True everything outside the alphabet is skipped in silence.
            return pybase64.b64decode(self.text, validate=True)
        except ValueError as error:
            raise SampleError(RejectReason.INVALID_BASE64, str(error)) from None


class Origin(NamedTuple):
    """Where a sample was read: its identity, since ids may repeat.

    Attributes:
        source: name of the input file, relative to the folder that all inputs share.
        position: number of the record in that file, from 0.
    """

    source: str
    position: int


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    Attributes:
        role: ``system``, ``user`` or ``assistant``.
        content: its text and images in reading order.
        train: whether its text is trained; None means that assistant turns are, others not.
    """

    role: str
    content: Content
    train: bool | None = None

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise _illegal(f"role must be one of {', '.join(ROLES)}, got {_kind(self.role)}")

    @property
    def is_trained(self) -> bool:
        """Whether the loss covers this turn."""
        return self.role == "assistant" if self.train is None else self.train

    @classmethod
    def from_dict(cls, message: object) -> Self:
        """Reads a message from its JSON form.

        Raises:
            SampleError: it is not a legal message.
        """
        if not isinstance(message, dict):
            raise _illegal(f"a message must be an object, got {_kind(message)}")
        if extra := message.keys() - _MESSAGE_KEYS:
            raise _illegal(f"a message has no key {sorted(map(str, extra))[0]!r}")
        train = message.get("train")
        if train is not None and not isinstance(train, bool):
            raise _illegal(f"train must be true or false, got {_kind(train)}")
        return cls(str(message.get("role")), _content_from_json(message.get("content")), train)

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form."""
        message: dict[str, Any] = {"role": self.role, "content": _content_to_json(self.content)}
        if self.train is not None:
            message["train"] = self.train
        return message


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One training example: a document or messages, and its images.

    Attributes:
        id: the user's name for it; ids may repeat.
        messages: turns of a conversation; exactly one of `messages` and `content` is given.
        content: parts of a caption or an interleaved document.
        images: one encoded image file for each image part, in order.
        meta: anything the user wants to keep beside the sample.
        token_limit: the sample is trained on its first `token_limit` tokens only.
        origin: where it was read, once it is in a pack.

    Raises:
        SampleError: the parts do not make a legal sample.

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
            raise _illegal("exactly one of messages and content must be given")
        if not (self.messages or self.content):
            raise SampleError(RejectReason.EMPTY_TEXT, "neither a message nor a part")
        if self.token_limit is not None and self.token_limit < 1:
            raise _illegal(f"token_limit must be at least 1, got {self.token_limit}")
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
            SampleError: the image cannot be read.
        """
        image = self.images[index]
        return image if isinstance(image, bytes) else image.read()

    @classmethod
    def from_dict(cls, record: object, *, images: Sequence[bytes | ImageRef] | None = None) -> Self:
        """Reads a sample from its canonical JSON form.

        Keys that the form does not know are kept under ``meta``.

        Args:
            record: the parsed JSON.
            images: the images, where they do not stand in the record as base64.

        Raises:
            SampleError: it is not a legal sample.
        """
        if not isinstance(record, dict):
            raise _illegal(f"a sample must be an object, got {_kind(record)}")
        messages, content = record.get("messages"), record.get("content")
        if messages is not None and not isinstance(messages, list):
            raise _illegal(f"messages must be a list, got {_kind(messages)}")
        return cls(
            id=_id_from_json(record.get("id")),
            messages=None if messages is None else tuple(map(Message.from_dict, messages)),
            content=None if content is None else _content_from_json(content),
            images=tuple(_images_from_json(record.get("images")) if images is None else images),
            meta=_meta_from_json(record),
            token_limit=_limit_from_json(record.get("token_limit")),
            origin=_origin_from_json(record.get("origin")),
        )

    def to_dict(self, *, with_images: bool = True) -> dict[str, Any]:
        """Returns the canonical JSON form; images last, as base64 of their unchanged bytes.

        Args:
            with_images: False leaves ``images`` out, for writers that place them themselves.

        Raises:
            SampleError: an image cannot be read.
        """
        record: dict[str, Any] = {}
        if self.id is not None:
            record["id"] = self.id
        if self.messages is not None:
            record["messages"] = [message.to_dict() for message in self.messages]
        if self.content is not None:
            record["content"] = _content_to_json(self.content)
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
        data: the samples in the order of their segments.
        lengths: tokens of each sample.

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


def _illegal(detail: str) -> SampleError:
    return SampleError(RejectReason.INVALID_SAMPLE, detail)


def _kind(value: object) -> str:
    """Names a JSON value by its kind and, where it is short, by itself."""
    shown = repr(value)
    return f"{type(value).__name__} {shown}" if len(shown) <= 40 else type(value).__name__


def _content_from_json(content: object) -> Content:
    if isinstance(content, str):
        return (content,)
    if not isinstance(content, list):
        raise _illegal(f"content must be a string or a list of parts, got {_kind(content)}")
    return tuple(map(_part_from_json, content))


def _part_from_json(part: object) -> str | None:
    if isinstance(part, dict) and part.keys() <= _PART_KEYS:
        match part.get("type"), part.get("text"):
            case "text", str(text):
                return text
            # Tables give every part the same keys, and null where it has none.
            case "image", None:
                return None
    raise _illegal(
        f'a part must be {{"type": "image"}} or {{"type": "text", "text": string}}, '
        f"got {_kind(part)}"
    )


def _content_to_json(content: Content) -> str | list[dict[str, str]]:
    if len(content) == 1 and content[0] is not None:
        return content[0]
    return [
        {"type": "image"} if part is None else {"type": "text", "text": part} for part in content
    ]


def _id_from_json(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    # Many data sets number their samples.
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise _illegal(f"id must be a string or an integer, got {_kind(value)}")


def _images_from_json(images: object) -> list[Base64Image]:
    if images is None:
        return []
    if not isinstance(images, list):
        raise _illegal(f"images must be a list, got {_kind(images)}")
    for image in images:
        if not isinstance(image, str):
            raise _illegal(f"an image must be a base64 string, got {_kind(image)}")
    return [Base64Image(image) for image in images]


def _meta_from_json(record: dict[str, Any]) -> dict[str, Any]:
    meta = {} if record.get("meta") is None else record["meta"]
    if not isinstance(meta, dict):
        raise _illegal(f"meta must be an object, got {_kind(meta)}")
    extra = {key: value for key, value in record.items() if key not in _SAMPLE_KEYS}
    if clash := extra.keys() & meta.keys():
        raise _illegal(f"key {sorted(clash)[0]!r} stands both in the sample and in its meta")
    return {**meta, **extra}


def _limit_from_json(value: object) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise _illegal(f"token_limit must be an integer, got {_kind(value)}")


def _origin_from_json(value: object) -> Origin | None:
    if value is None:
        return None
    if isinstance(value, dict) and value.keys() == {"source", "position"}:
        source, position = value["source"], value["position"]
        if isinstance(source, str) and type(position) is int:
            return Origin(source, position)
    raise _illegal(f'origin must be {{"source": string, "position": integer}}, got {_kind(value)}')
