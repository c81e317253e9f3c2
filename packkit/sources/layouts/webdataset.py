"""WebDataset pairs: an image beside its caption, as img2dataset writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from packkit.errors import RejectReason, SampleError
from packkit.images import DataRoot
from packkit.schema import Sample
from packkit.sources.base import Fields, rest_as_meta
from packkit.sources.containers.tar import IMAGE_EXTENSIONS, KEY

__all__ = ["WebdatasetLayout"]

_TEXT_KEYS = ("caption", "text")


class WebdatasetLayout:
    """Members ``jpg|png|webp`` with ``txt``, ``json`` or both; the text is the txt's if any."""

    name: ClassVar[str] = "webdataset"
    roles: ClassVar[tuple[str, ...]] = ()

    def __init__(self, columns: Mapping[str, str]) -> None:
        pass

    def matches(self, fields: Fields) -> bool:
        """Whether the record came from a tar and has an image or a text member."""
        return KEY in fields and any(name in fields for name in (*IMAGE_EXTENSIONS, "txt"))

    def to_sample(self, fields: Fields, root: DataRoot) -> Sample:
        """Reads an image and its caption.

        Raises:
            SampleError: image or text is missing, or there are several images.
        """
        images = tuple(fields[name] for name in IMAGE_EXTENSIONS if name in fields)
        if len(images) != 1:
            reason = RejectReason.IMAGE_COUNT if images else RejectReason.MISSING_IMAGE
            raise SampleError(reason, f"{len(images)} images for key {fields[KEY]!r}, expected 1")
        info: Mapping[str, Any] = fields.get("json", {})
        text = fields.get("txt", next((info[key] for key in _TEXT_KEYS if key in info), None))
        if not isinstance(text, str) or not text.strip():
            raise SampleError(RejectReason.EMPTY_TEXT, f"no text for key {fields[KEY]!r}")
        return Sample(
            id=str(fields[KEY]),
            content=(None, text),
            images=images,
            meta=rest_as_meta(info, set() if "txt" in fields else set(_TEXT_KEYS)),
        )
