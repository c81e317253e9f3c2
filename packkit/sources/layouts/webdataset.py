"""WebDataset pairs: an image beside its caption, as img2dataset writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from packkit.base.errors import RejectReason, SampleError, invalid_sample
from packkit.images import DataRoot
from packkit.samples import Sample
from packkit.sources.base import Fields, FixedLayout, image_from_field, rest_as_meta
from packkit.sources.containers.tar import IMAGE_EXTENSIONS, KEY

_TEXT_KEYS = ("caption", "text")


class WebdatasetLayout(FixedLayout):
    """Members ``jpg|png|webp`` with ``txt``, ``json`` or both.

    The text is the ``txt``, or else ``caption`` or ``text`` of the ``json``, whose other keys are
    kept under ``meta``.
    """

    name: ClassVar[str] = "webdataset"

    def matches(self, fields: Fields) -> bool:
        """Whether the record came from a tar and has an image or a text member."""
        return KEY in fields and any(name in fields for name in (*IMAGE_EXTENSIONS, "txt"))

    def to_sample(self, fields: Fields, root: DataRoot) -> Sample:
        """Reads an image and its caption.

        Raises:
            SampleError: Image or text is missing, or there are several images.
        """
        key, info = fields.get(KEY), fields.get("json", {})
        images = [fields[name] for name in IMAGE_EXTENSIONS if name in fields]
        if len(images) != 1:
            reason = RejectReason.IMAGE_COUNT if images else RejectReason.MISSING_IMAGE
            raise SampleError(reason, f"{len(images)} images for key {key!r}, expected 1")
        if not isinstance(info, Mapping):
            raise invalid_sample(f"json of key {key!r} is no object")
        text, used = _text(fields, info)
        if not isinstance(text, str) or not text.strip():
            raise SampleError(RejectReason.EMPTY_TEXT, f"no text for key {key!r}")
        return Sample(
            id=str(key),
            content=(None, text),
            images=(image_from_field(images[0], root),),
            meta=rest_as_meta(info, used),
        )


def _text(fields: Fields, info: Mapping[str, Any]) -> tuple[object, set[str]]:
    """Returns the text and the keys of the ``json`` member that it took."""
    if "txt" in fields:
        return fields["txt"], set()
    key = next((key for key in _TEXT_KEYS if info.get(key) is not None), None)
    return (None, set()) if key is None else (info[key], {key})
