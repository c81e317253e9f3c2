"""VQA-Med-2019: the lines that `PipeLines` reads, with the images beside them."""

from __future__ import annotations

from typing import ClassVar

from packkit.images import DataRoot
from packkit.samples import Message, Sample
from packkit.sources.base import Fields, FixedLayout, rest_as_meta, text_from_field

_FIELDS = {"image_id", "question", "answer"}
_FOLDERS = ("Train_images", "Val_images", "VQAMed2019_Test_Images")


class VqaMedLayout(FixedLayout):
    """Records with ``image_id``, ``question`` and ``answer``, and a ``category`` in the test set.

    The image is ``<image_id>.jpg`` under the data root, in the folder of the archive where there
    is one. Several questions are about one image, so ``image_id`` is no id: it is kept in ``meta``.
    """

    name: ClassVar[str] = "vqa-med"

    def matches(self, fields: Fields) -> bool:
        """Whether there are these fields and no others."""
        return fields.keys() - {"category"} == _FIELDS

    def to_sample(self, fields: Fields, root: DataRoot) -> Sample:
        """Reads a question and its answer.

        Raises:
            SampleError: Image, question or answer is missing.
        """
        image = f"{text_from_field(fields, 'image_id')}.jpg"
        return Sample(
            messages=(
                Message("user", (None, text_from_field(fields, "question"))),
                Message("assistant", (text_from_field(fields, "answer"),)),
            ),
            images=(root.within(*_FOLDERS).image(image),),
            meta=rest_as_meta(fields, {"question", "answer"}),
        )
