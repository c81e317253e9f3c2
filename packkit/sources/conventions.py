"""What tools call media, masks and instructions in their records: every name known, in one place.

A layout reads what it knows. What it does not, and what looks like something that is trained, is an
error of the record; `packkit.sources.unused` holds the rule, and this table says what looks so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

IMAGE_MARKER = "<image>"
"""What stands for the next image in a text; the one spelling that layouts read."""

MASK_KEYS = frozenset({"train", "loss", "loss_weight", "weight"})
"""Keys of a turn that say whether it is trained."""

_MARKER = re.compile(
    r"""
      </?\s*(?:image|img|picture|photo|video|audio|speech|sound|media|vision)
        [\s_-]*(?:\d+|here|placeholder|token|soft_token|context|pad|patch|start|end|unk)?\s*/?>
    | <\|\s*(?:begin_of_|start_of_|end_of_)?(?:image|img|picture|video|audio|speech|vision|media)
        [a-z_-]*\d*\s*\|>
    | <(?:begin|start|end)_of_(?:image|img|video|audio)>
    | <(?:im_patch|im_start|im_end|boi|eoi|fake_token_around_image|image_soft_token)>
    | <(?:ref-object|bbox)>
    """,
    re.IGNORECASE | re.VERBOSE,
)
# In prose these words stand in brackets, too, but not in capitals alone.
_BRACKET_MARKER = re.compile(r"\[(?:IMG|IMAGE|VIDEO|AUDIO)(?:[ _-]?\d+)?\]")

_MEDIA_WORD = re.compile(
    r"(?:images?|imgs?|pictures?|pics?|photos?|pixels?|frames?|screenshots?|thumbnails?|visuals?"
    r"|videos?|clips?|audios?|speech|sounds?|wavs?|media|multimedia|dicoms?|niftis?)"
)
# Words of a key: letters of one case, so that imagePath, image_path and IMAGE2 all have the word.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_MEDIA_NAME = re.compile(
    r"\.(?:jpe?g|png|webp|gif|bmp|tiff?|jp2|heic|avif|svg|dcm|dicom|nii|nrrd|mha"
    r"|mp4|m4v|avi|mov|mkv|webm|mpe?g|wav|mp3|flac|ogg|m4a)(?:\.gz)?$",
    re.IGNORECASE,
)
# First characters of JPEG, PNG, GIF, WebP and TIFF files as base64.
_BASE64_HEADS = ("/9j/", "_9j_", "iVBOR", "R0lGOD", "UklGR", "SUkqA", "TU0AK")
_LONGEST_NAME = 4096
# The end of a sentence, or four words.
_PROSE = re.compile(r"[.!?。！？](?:\s|$)|\S\s+\S+\s+\S+\s+\S")

_PROMPT_KEYS = frozenset(
    {"system", "system_prompt", "sys_prompt", "system_message", "system_instruction"}
    | {"tools", "functions", "function_call", "tool_calls"}
    | {"instruction", "instructions", "preamble"}
)
# What ms-swift puts in the places of <ref-object> and <bbox>.
_OBJECT_KEYS = frozenset({"ref", "bbox"})
# Earlier turns, and the better and the worse answer of a pair.
_TURN_KEYS = frozenset(
    {"history", "chosen", "rejected", "chosen_response", "rejected_response", "rejected_messages"}
    | {"chosen_messages", "rejected_images", "kto_tag"}
)
_SPEAKER_KEYS = frozenset({"role", "from", "speaker"})
_MASK_NAMES = MASK_KEYS | {
    *("loss_mask", "loss_weights", "weights", "train_mask", "trainable", "assistant_mask"),
    *("assistant_masks", "completion_mask", "label_mask"),
}


def unread_marker(text: str) -> str | None:
    """Returns the first marker of an image, video or sound in a text; None without any.

    >>> unread_marker("Compare <image1> and <image2>."), unread_marker("a < image of b >")
    ('<image1>', None)
    """
    if "<" in text and (match := _MARKER.search(text)):
        return match[0]
    if "[" in text and (match := _BRACKET_MARKER.search(text)):
        return match[0]
    return None


def is_media_key(key: str) -> bool:
    """Whether a key names media: a word of it does, as in ``image_path`` or ``imgFile``."""
    return any(_MEDIA_WORD.fullmatch(word.lower()) for word in _WORD.findall(key))


def is_mask_key(key: str) -> bool:
    """Whether a key says what is trained."""
    return key.lower() in _MASK_NAMES


def is_prompt(key: str, value: object) -> bool:
    """Whether a field holds a part of the prompt that stands outside the turns.

    >>> is_prompt("system_text", "Answer briefly."), is_prompt("organ_system", "cardiovascular")
    (True, False)
    """
    is_objects = key == "objects" and isinstance(value, Mapping) and value.keys() & _OBJECT_KEYS
    if key.lower() in _PROMPT_KEYS or is_objects:
        return True
    # Bodies and scanners are systems, too, but nobody writes sentences of them under such a key.
    names_system = any(word.lower() == "system" for word in _WORD.findall(key))
    return names_system and isinstance(value, str) and bool(_PROSE.search(value))


def is_turns(key: str, value: object) -> bool:
    """Whether a field holds turns, or answers of which one is better than the other.

    >>> is_turns("rejected", "A lung."), is_turns("dialog", [{"role": "user", "content": "Hi"}])
    (True, True)
    """
    # Of one answer alone the label says whether it is a good one.
    if key.lower() in _TURN_KEYS or (key.lower() == "label" and isinstance(value, bool)):
        return True
    turns = value if isinstance(value, list) else [value]
    return bool(turns) and all(
        isinstance(turn, Mapping) and len(turn) > 1 and turn.keys() & _SPEAKER_KEYS
        for turn in turns
    )


def is_media_name(name: str) -> bool:
    """Whether a name or an address ends as files of images, videos or sounds do."""
    return bool(_MEDIA_NAME.search(name.partition("?")[0]))


def looks_like_media(value: object, *, links: bool = True) -> bool:
    """Whether a value is an image, video or sound, or refers to one.

    Args:
        value: Value of a field.
        links: Whether names of files and addresses count, too.
    """
    match value:
        case None | bool() | int() | float():
            return False
        case str():
            return _is_media_text(value, links=links)
        case list():
            return any(looks_like_media(item, links=links) for item in value)
        case Mapping():
            inner = value.values() if links else ()
            return _is_media_struct(value) or any(map(looks_like_media, inner))
    # Bytes, and references that the container made.
    return True


def _is_media_text(text: str, *, links: bool) -> bool:
    if text.startswith(("data:image/", "data:video/", "data:audio/")):
        return True
    if len(text) > _LONGEST_NAME:
        return text.startswith(_BASE64_HEADS)
    return links and is_media_name(text)


def _is_media_struct(value: Mapping[Any, Any]) -> bool:
    """Whether an object is an image as Hugging Face's datasets or OpenAI write one."""
    has_content = any(value.get(key) for key in ("bytes", "image_url", "url", "path"))
    return has_content and value.keys() <= {"bytes", "path", "url", "image_url", "detail", "type"}
