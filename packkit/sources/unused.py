"""The rule that nothing is lost in silence: what looks like training data and is not read, rejects.

A layout takes what it knows from a record; all else goes to ``meta``, where nobody trains on it. An
image under an unknown key, a mark of one in the text or a mask that nobody heeds would so train
something else than the user gave. Such a record is rejected by the name of the key; the option
``ignore`` says that it does not matter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from packkit.base.errors import RejectReason, SampleError
from packkit.samples import Sample
from packkit.sources.base import Fields
from packkit.sources.conventions import (
    is_mask_key,
    is_media_key,
    is_prompt,
    is_turns,
    looks_like_media,
    unread_marker,
)

_WAY_OUT = "is not read; ignore {} where it does not matter"


def without_ignored(fields: Fields, ignored: Collection[str]) -> Fields:
    """Returns a record without the keys that do not matter, nor those of its turns and parts."""
    return fields if not ignored else _without(fields, frozenset(ignored))


def _without(value: Any, ignored: frozenset[str]) -> Any:  # noqa: ANN401
    if isinstance(value, Mapping):
        return {key: _without(inner, ignored) for key, inner in value.items() if key not in ignored}
    return [_without(item, ignored) for item in value] if isinstance(value, list) else value


def check_all_read(
    sample: Sample, fields: Fields, ignored: Collection[str], *, texts_are_plain: bool = False
) -> None:
    """Checks that a layout read all of a record that looks like training data.

    Args:
        sample: What the layout made of the record.
        fields: The record.
        ignored: Keys and markers that do not matter.
        texts_are_plain: Whether no marker stands for anything in this layout.

    Raises:
        SampleError: Something is left that looks like media, a marker, a mask, a prompt or turns.
    """
    given = fields.get("meta")
    # What a user put under meta on purpose is carried along as it is.
    carried = given.keys() if isinstance(given, Mapping) else ()
    for key, value in sample.meta.items():
        if key not in carried and key not in ignored:
            check_field(key, value, has_images=bool(sample.images))
    for text in () if texts_are_plain else _prompt_texts(sample):
        marker = unread_marker(text)
        if marker is not None and marker not in ignored:
            raise SampleError(
                RejectReason.UNKNOWN_MARKER, f"{marker!r} in the text {_WAY_OUT.format(marker)}"
            )


def check_field(key: str, value: object, *, has_images: bool) -> None:
    """Checks that a field that a layout did not read looks like nothing that is trained.

    Beside images that were read a name or an address says where they come from, unless its key
    names media. Where none was read, any value under such a key may be the missing one.

    Raises:
        SampleError: The field looks like media, a mask, a prompt or turns.
    """
    # False is what a mask says; of all else it is nothing.
    if is_mask_key(key) and isinstance(value, bool | int | float):
        raise _unread(RejectReason.UNUSED_MASK, key)
    if is_turns(key, value) and value is not None and value not in ("", []):
        raise _unread(RejectReason.UNUSED_TURNS, key)
    if not value:
        return
    names_media = is_media_key(key)
    is_media = looks_like_media(value, links=names_media or not has_images)
    if is_media or (names_media and not has_images):
        raise _unread(RejectReason.UNUSED_MEDIA, key)
    if is_mask_key(key):
        raise _unread(RejectReason.UNUSED_MASK, key)
    if is_prompt(key, value):
        raise _unread(RejectReason.UNUSED_PROMPT, key)


def check_parts_read(rest: Fields, names: Collection[str]) -> None:
    """Checks that no field that was not read is called after a part of the prompt.

    Args:
        rest: Fields that a layout did not read.
        names: Names of parts that a prompt may do without, such as ``choices``.

    Raises:
        SampleError: A key has such a name in it, and a value that may be the part.
    """
    for key, value in rest.items():
        is_part = isinstance(value, str | list | Mapping) and bool(value)
        if is_part and any(name in key.lower() for name in names):
            raise _unread(RejectReason.UNUSED_PROMPT, key)


def _unread(reason: RejectReason, key: str) -> SampleError:
    return SampleError(reason, f"the key {key!r} {_WAY_OUT.format(key)}")


def _prompt_texts(sample: Sample) -> Iterator[str]:
    """Yields the texts in which a marker stands for something; an answer may speak of one."""
    for message in sample.messages or ():
        if message.role != "assistant":
            yield from (part for part in message.content if part is not None)
    yield from (part for part in sample.content or () if part is not None)
