"""packkit's own layout: a sample in its canonical JSON form."""

from __future__ import annotations

from typing import ClassVar

from packkit.base.errors import invalid_sample
from packkit.images import DataRoot
from packkit.samples import Sample
from packkit.sources.base import Fields, FixedLayout, image_from_field


class PackkitLayout(FixedLayout):
    """Records with ``messages`` or ``content``; an image may be a path instead of base64."""

    name: ClassVar[str] = "packkit"

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
            raise invalid_sample(f"images must be a list, got {type(images).__name__}")
        return Sample.from_dict(fields, images=[image_from_field(image, root) for image in images])
