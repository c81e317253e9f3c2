"""R2Gen's annotations, of IU X-Ray and MIMIC-CXR: a report and its images."""

from __future__ import annotations

from typing import ClassVar

from packkit.base.errors import RejectReason, SampleError, invalid_sample
from packkit.images import DataRoot
from packkit.samples import Sample
from packkit.sources.base import (
    Fields,
    FixedLayout,
    id_from_field,
    image_from_field,
    rest_as_meta,
    text_from_field,
)

_USED = {"id", "report", "image_path"}


class R2genLayout(FixedLayout):
    """Records with ``id``, ``report`` and ``image_path[]``.

    A document of the images, then the report. Images are looked for under the data root, in
    ``images/`` where there is such a folder; the ``split`` is kept in ``meta``.
    """

    name: ClassVar[str] = "r2gen"

    def matches(self, fields: Fields) -> bool:
        """Whether there are a report and its images."""
        return "report" in fields and "image_path" in fields

    def to_sample(self, fields: Fields, root: DataRoot) -> Sample:
        """Reads a report.

        Raises:
            SampleError: Report or images are missing.
        """
        paths = fields.get("image_path")
        if not isinstance(paths, list):
            raise invalid_sample("image_path must be a list")
        if not paths:
            raise SampleError(RejectReason.MISSING_IMAGE, "image_path is empty")
        folder = root.within("images")
        return Sample(
            id=id_from_field(fields, "id"),
            content=(None,) * len(paths) + (text_from_field(fields, "report"),),
            images=tuple(image_from_field(path, folder) for path in paths),
            meta=rest_as_meta(fields, _USED),
        )
