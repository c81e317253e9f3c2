"""packkit's own layout: a sample in its canonical JSON form."""

from __future__ import annotations

from typing import ClassVar

from packkit.base.errors import invalid_sample
from packkit.images import DataRoot
from packkit.samples import Sample
from packkit.sources.base import Fields, FixedLayout, image_from_field


class PackkitLayout(FixedLayout):
    """Records with ``content``, or messages; an image may be a path instead of base64.

    Their text is text: no marker stands for anything in it. Messages are read so where packs hold
    them, or where this layout is named; else `MessagesLayout` reads them, which knows more forms.
    """

    name: ClassVar[str] = "packkit"
    texts_are_plain: ClassVar[bool] = True

    def matches(self, fields: Fields) -> bool:
        """Whether there is content, and no messages."""
        return "content" in fields and "messages" not in fields

    def to_sample(self, fields: Fields, root: DataRoot) -> Sample:
        """Reads a sample from its canonical form.

        Raises:
            SampleError: The record is not a legal sample.
        """
        images = [] if fields.get("images") is None else fields["images"]
        if not isinstance(images, list):
            raise invalid_sample(f"images must be a list, got {type(images).__name__}")
        return Sample.from_dict(fields, images=[image_from_field(image, root) for image in images])
