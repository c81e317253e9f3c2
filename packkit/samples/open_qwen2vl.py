"""The form in which Open-Qwen2VL stores documents, in its tars and in its packs.

``{"texts": [null, "caption"], "image_info": [{"image_base64": "..."}, null], "key": ...}``: both
lists are aligned by position, and each position holds a text or an image.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from packkit.base.errors import invalid_sample
from packkit.images import Base64Image
from packkit.samples import Sample

_ID_KEYS = ("key", "uid", "__key__")


def is_open_qwen2vl(record: Mapping[str, Any]) -> bool:
    """Whether a record has texts and images side by side.

    >>> is_open_qwen2vl({"texts": ["A caption."], "image_info": [None]})
    True
    """
    return "texts" in record and "image_info" in record


def sample_from_open_qwen2vl(record: Mapping[str, Any]) -> Sample:
    """Reads a document; keys that the form does not use are kept under ``meta``.

    Left out are the stored ``length``, which no training run counts in that way, and what stands
    beside ``image_base64``.

    Raises:
        SampleError: Texts and images do not line up.

    >>> sample_from_open_qwen2vl({"texts": ["A caption."], "image_info": [None]}).content
    ('A caption.',)
    """
    texts, infos = record.get("texts"), record.get("image_info")
    if not isinstance(texts, list) or not isinstance(infos, list) or len(texts) != len(infos):
        raise invalid_sample("texts and image_info must be lists of one length")
    content: list[str | None] = []
    images: list[Base64Image] = []
    for position, (text, info) in enumerate(zip(texts, infos, strict=True)):
        match text, info:
            case str(), None:
                content.append(text)
            case None, {"image_base64": str(data)}:
                content.append(None)
                images.append(Base64Image(data))
            case _:
                raise invalid_sample(f"position {position} must hold either a text or an image")
    id_key = next((key for key in _ID_KEYS if record.get(key) is not None), None)
    used = {"texts", "image_info", "length", "__key__", id_key}
    return Sample(
        id=None if id_key is None else str(record[id_key]),
        # Empty texts stand where the original left out a part.
        content=tuple(part for part in content if part != ""),
        images=tuple(images),
        meta={key: value for key, value in record.items() if key not in used},
    )
