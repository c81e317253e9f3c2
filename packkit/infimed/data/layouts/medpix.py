"""MedPix 2.0: ``Descriptions.json``, one scan and its caption a record.

``Case_topic.json``, which has the history and the findings of each case, is not joined: a record
here is an image, and a case has several.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from packkit.base.errors import invalid_sample
from packkit.images import DataRoot
from packkit.samples import Sample
from packkit.sources.base import Fields, FixedLayout, rest_as_meta, text_from_field

_USED = {"image", "Description"}


class MedpixLayout(FixedLayout):
    """Records with ``U_id``, ``image`` and ``Description``, an object with the ``Caption``.

    A document of the image, then its caption. The image is ``<image>.png`` under the data root, in
    ``images/`` where there is such a folder. The rest of the description is kept in ``meta``.
    """

    name: ClassVar[str] = "medpix"

    def matches(self, fields: Fields) -> bool:
        """Whether there are an image and its description in a case."""
        return {"U_id", "image", "Description"} <= fields.keys()

    def to_sample(self, fields: Fields, root: DataRoot) -> Sample:
        """Reads a caption.

        Raises:
            SampleError: Image or caption is missing.
        """
        name, description = text_from_field(fields, "image"), fields.get("Description")
        if not isinstance(description, Mapping):
            raise invalid_sample("Description must be an object")
        rest = rest_as_meta(description, {"Caption"})
        return Sample(
            id=name,
            content=(None, text_from_field(description, "Caption")),
            images=(root.within("images").image(f"{name}.png"),),
            meta=rest_as_meta(fields, _USED) | ({"Description": rest} if rest else {}),
        )
