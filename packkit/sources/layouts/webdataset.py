"""WebDataset records: images beside their caption, or beside a conversation.

The caption is the ``txt``, or ``caption`` or ``text`` of the ``json``; the conversation is the
``json``: a list of turns, or an object with ``conversations``, ``messages`` or ``texts``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from packkit.base.errors import RejectReason, SampleError, invalid_sample
from packkit.images import DataRoot, ImageRef, image_kind
from packkit.samples import Sample
from packkit.samples.sample_json import kind_of
from packkit.sources.base import Fields, id_from_field, image_from_field, rest_as_meta
from packkit.sources.containers.tar import IMAGE_EXTENSIONS, KEY, ending
from packkit.sources.conventions import is_media_name
from packkit.sources.turns import placed, read_conversation

_TEXT_ENDINGS = ("txt", "caption", "text", "cap")
_TEXT_KEYS = ("caption", "text")
# The first bytes of every kind of image, as far as they tell it.
_HEAD = 16
_TURN_KEYS = ("conversations", "messages", "texts")


class WebdatasetLayout:
    """Members that are images, with ``txt``, ``json`` or both.

    Several images come in the order of the tar, or in that in which the ``json`` names them. Other
    keys of the ``json`` are kept under ``meta``. ``columns`` names members by other endings, and
    the text by a key of the ``json``, too.
    """

    name: ClassVar[str] = "webdataset"
    roles: ClassVar[tuple[str, ...]] = ("image", "text")

    def __init__(self, columns: Mapping[str, str]) -> None:
        """Takes the option `columns`."""
        self._images = (columns["image"],) if "image" in columns else IMAGE_EXTENSIONS
        self._texts = (columns["text"],) if "text" in columns else _TEXT_ENDINGS
        self._keys = (columns["text"],) if "text" in columns else _TEXT_KEYS

    def matches(self, fields: Fields) -> bool:
        """Whether the record came from a tar and has an image, a text or a JSON member."""
        kinds = (*self._images, *self._texts, "json")
        return KEY in fields and any(_is_kind(name, kinds) for name in _members(fields))

    def to_sample(self, fields: Fields, root: DataRoot) -> Sample:
        """Reads images and their caption or conversation.

        Raises:
            SampleError: Image or text is missing, or a conversation has another number of images.
        """
        key = fields.get(KEY)
        names = [name for name in _members(fields) if _is_kind(name, self._images)]
        info = fields.get("json", {})
        turns = info if isinstance(info, list) else _turns(info)
        if not isinstance(info, Mapping | list):
            raise invalid_sample(f"the json of key {key!r} must be an object or a list of turns")
        rest = dict(info) if isinstance(info, Mapping) else {}
        images = [image_from_field(fields[name], root) for name in self._ordered(key, names, rest)]
        left = self._unread_media(fields, names)
        if turns is not None:
            return _conversation(key, turns, images, rest, left, root)
        if not images:
            raise SampleError(RejectReason.MISSING_IMAGE, f"no image for key {key!r}")
        text, used = self._text(fields, rest)
        return Sample(
            id=str(key),
            content=placed(text, len(images)),
            images=tuple(images),
            meta={**rest_as_meta(rest, used), **left},
        )

    def _ordered(self, key: object, names: list[str], info: dict[str, Any]) -> list[str]:
        """Returns the image members in their order; the ``json`` may name them by their files."""
        for field in ("images", "image"):
            value = info.get(field)
            listed = value if isinstance(value, list) else [value]
            files = [item.rpartition("/")[2] for item in listed if isinstance(item, str)]
            by_file = {f"{str(key).rpartition('/')[2]}.{name}": name for name in names}
            if files and set(files) == by_file.keys():
                del info[field]
                return [by_file[file] for file in files]
        return names

    def _unread_media(self, fields: Fields, names: list[str]) -> dict[str, Any]:
        """Returns the members that are media and no image of the sample."""
        return {
            name: fields[name]
            for name in _members(fields)
            if name not in names and (is_media_name(f".{name}") or self._is_image(fields[name]))
        }

    def _is_image(self, member: object) -> bool:
        """Whether a member begins as an image does, whatever its name."""
        head = member.peek(_HEAD).head if hasattr(member, "peek") else member
        return isinstance(head, bytes) and image_kind(head) is not None

    def _text(self, fields: Fields, info: Mapping[str, Any]) -> tuple[str, set[str]]:
        """Returns the text, and the keys of the ``json`` member that it took."""
        members = [name for name in _members(fields) if _is_kind(name, self._texts)]
        if len(members) > 1:
            raise invalid_sample(
                f"{' and '.join(members)} of key {fields.get(KEY)!r} are both texts"
            )
        used = {key for key in self._keys if not members and info.get(key) is not None}
        taken = next((key for key in self._keys if key in used), None)
        value = _read_text(fields[members[0]]) if members else info.get(taken or "")
        if not isinstance(value, str) or not value.strip():
            raise SampleError(RejectReason.EMPTY_TEXT, f"no text for key {fields.get(KEY)!r}")
        return value, set() if taken is None else {taken}


def _members(fields: Fields) -> list[str]:
    return [name for name in fields if not name.startswith("__")]


def _is_kind(name: str, kinds: tuple[str, ...]) -> bool:
    return name in kinds or ending(name) in kinds


def _turns(info: object) -> object:
    """Returns the turns that a JSON object holds; None where it holds none."""
    if not isinstance(info, Mapping):
        return None
    return next((info[key] for key in _TURN_KEYS if key in info), None)


def _conversation(
    key: object,
    turns: object,
    images: list[bytes | ImageRef],
    info: Mapping[str, Any],
    left: Mapping[str, Any],
    root: DataRoot,
) -> Sample:
    conversation = read_conversation(turns, images, root, system=info.get("system"))
    used = {"id", "system", *_TURN_KEYS}
    return Sample(
        id=id_from_field(info, "id") or str(key),
        messages=conversation.messages,
        images=conversation.images,
        meta={**rest_as_meta(info, used), **left},
    )


def _read_text(value: object) -> str:
    """Returns the text of a member, which is a reference where its ending is no ``txt``."""
    if isinstance(value, str):
        return value
    if not isinstance(value, bytes) and not hasattr(value, "read"):
        raise invalid_sample(f"a text must be a member of the tar, got {kind_of(value)}")
    data = value if isinstance(value, bytes) else value.read()
    try:
        text: str = data.decode()
    except UnicodeDecodeError as error:
        raise SampleError(RejectReason.INVALID_UTF8, str(error)) from None
    return text
