"""Canonical JSON of a sample field by field: what each may hold, read strictly.

`packkit.samples.sample` puts the fields together; only the content needs a writer of its own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from packkit.base.errors import invalid_sample
from packkit.images import Base64Image

Content = tuple[str | None, ...]
"""Parts of a turn or a document in reading order: a string is text, None is the next image."""

_SHOWN_CHARACTERS = 40
_SAMPLE_KEYS = frozenset({"id", "messages", "content", "images", "meta", "token_limit", "origin"})
_PART_KEYS = frozenset({"type", "text"})


class Origin(NamedTuple):
    """The place that a sample was read from: its identity, since ids may repeat.

    Attributes:
        source: Name of the input file, relative to the folder that all inputs share.
        position: Number of the record in that file, from 0.
    """

    source: str
    position: int


def content_from_json(content: object) -> Content:
    """Reads a string or a list of parts.

    Raises:
        SampleError: The content is neither, or a part is neither text nor an image.
    """
    if isinstance(content, str):
        return (content,)
    if not isinstance(content, list):
        raise invalid_sample(f"content must be a string or a list of parts, got {kind_of(content)}")
    return tuple(map(_part_from_json, content))


def _part_from_json(part: object) -> str | None:
    if isinstance(part, dict) and part.keys() <= _PART_KEYS:
        match part.get("type"), part.get("text"):
            case "text", str(text):
                return text
            # Tables give every part the same keys, and null where it has none.
            case "image", None:
                return None
    raise invalid_sample(
        f'a part must be {{"type": "image"}} or {{"type": "text", "text": string}}, '
        f"got {kind_of(part)}"
    )


def content_to_json(content: Content) -> str | list[dict[str, str]]:
    """Returns a single text as a string, and everything else as a list of parts."""
    if len(content) == 1 and content[0] is not None:
        return content[0]
    return [
        {"type": "image"} if part is None else {"type": "text", "text": part} for part in content
    ]


def id_from_json(value: object) -> str | None:
    """Reads an id, which is a string, an integer or missing.

    Raises:
        SampleError: The id is neither a string nor an integer.
    """
    if value is None or isinstance(value, str):
        return value
    # Many data sets number their samples.
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise invalid_sample(f"id must be a string or an integer, got {kind_of(value)}")


def images_from_json(images: object) -> list[Base64Image]:
    """Reads the images, a list of base64 strings, or none where it is missing.

    Raises:
        SampleError: The images are not a list of strings.
    """
    if images is None:
        return []
    if not isinstance(images, list):
        raise invalid_sample(f"images must be a list, got {kind_of(images)}")
    for image in images:
        if not isinstance(image, str):
            raise invalid_sample(f"an image must be a base64 string, got {kind_of(image)}")
    return [Base64Image(image) for image in images]


def meta_from_json(record: dict[str, Any]) -> dict[str, Any]:
    """Reads ``meta`` of a record, together with the keys that the canonical form does not have.

    Raises:
        SampleError: The value of ``meta`` is not an object, or a key stands in both places.
    """
    meta = {} if record.get("meta") is None else record["meta"]
    if not isinstance(meta, dict):
        raise invalid_sample(f"meta must be an object, got {kind_of(meta)}")
    extra = {key: value for key, value in record.items() if key not in _SAMPLE_KEYS}
    if clash := extra.keys() & meta.keys():
        raise invalid_sample(f"key {sorted(clash)[0]!r} stands both in the sample and in its meta")
    return {**meta, **extra}


def token_limit_from_json(value: object) -> int | None:
    """Reads a token limit, which is an integer or missing.

    Raises:
        SampleError: The token limit is not an integer.
    """
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise invalid_sample(f"token_limit must be an integer, got {kind_of(value)}")


def origin_from_json(value: object) -> Origin | None:
    """Reads an origin, which has a source and a position, or is missing.

    Raises:
        SampleError: The origin is not an object of just a source and a position.
    """
    if value is None:
        return None
    if isinstance(value, dict) and value.keys() == {"source", "position"}:
        source, position = value["source"], value["position"]
        if isinstance(source, str) and type(position) is int:
            return Origin(source, position)
    raise invalid_sample(
        f'origin must be {{"source": string, "position": integer}}, got {kind_of(value)}'
    )


def kind_of(value: object) -> str:
    """Returns the type of a JSON value, and what is in it as far as that is short, for messages.

    >>> kind_of(5), kind_of({"type": "x" * 50, "url": "y"}), kind_of([0] * 99)
    ('int 5', 'dict with type, url', 'list of 99')
    """
    kind, shown = type(value).__name__, repr(value)
    if len(shown) <= _SHOWN_CHARACTERS:
        return f"{kind} {shown}"
    if isinstance(value, dict):
        return f"{kind} with {', '.join(map(str, value))[:_SHOWN_CHARACTERS]}"
    return f"{kind} of {len(value)}" if isinstance(value, list | str) else kind
