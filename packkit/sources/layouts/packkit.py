"""packkit's own layout: a sample in its canonical JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from packkit.base.errors import RejectReason, SampleError
from packkit.images import DataRoot
from packkit.samples import Sample
from packkit.sources.base import Fields, image_from_field


class PackkitLayout:
    """Records with ``messages`` or ``content``; an image may be a path instead of base64."""

    name: ClassVar[str] = "packkit"
    roles: ClassVar[tuple[str, ...]] = ()

    def __init__(self, columns: Mapping[str, str]) -> None:
        pass

    def matches(self, fields: Fields) -> bool:
        """Whether there are messages or content."""
        return "messages" in fields or "content" in fields

    def to_sample(self, fields: Fields, root: DataRoot) -> Sample:
        """Reads a sample from its canonical form.

        Raises:
            SampleError: The record is not a legal sample.
        """
        images = [] if fields.get("images") is None else fields["images"]
        if not isinstance(images, list):
            raise SampleError(
                RejectReason.INVALID_SAMPLE, f"images must be a list, got {type(images).__name__}"
            )
        return Sample.from_dict(fields, images=[image_from_field(image, root) for image in images])
