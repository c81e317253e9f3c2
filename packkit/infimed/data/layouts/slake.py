"""SLAKE: questions in English and Chinese about images of one folder each."""

from __future__ import annotations

from typing import ClassVar

from packkit.images import DataRoot
from packkit.samples import Message, Sample
from packkit.sources.base import Fields, FixedLayout, id_from_field, rest_as_meta, text_from_field

_USED = {"img_name", "question", "answer"}


class SlakeLayout(FixedLayout):
    """Records with ``img_name``, ``question`` and ``answer``; the id is the ``qid``.

    An image such as ``xmlab1/source.jpg`` is looked for under the data root, in ``imgs/`` where
    there is such a folder. All else is kept in ``meta``: ``q_lang``, ``modality``, ``location``,
    ``answer_type`` and so on, and the ``qid``, which other tools know a question by.
    """

    name: ClassVar[str] = "slake"

    def matches(self, fields: Fields) -> bool:
        """Whether there are a question, its answer and the name of an image."""
        return fields.keys() >= _USED and "image" not in fields

    def to_sample(self, fields: Fields, root: DataRoot) -> Sample:
        """Reads a question and its answer.

        Raises:
            SampleError: Image, question or answer is missing.
        """
        image = root.within("imgs").image(text_from_field(fields, "img_name"))
        return Sample(
            id=id_from_field(fields, "qid"),
            messages=(
                Message("user", (None, text_from_field(fields, "question"))),
                Message("assistant", (text_from_field(fields, "answer"),)),
            ),
            images=(image,),
            meta=rest_as_meta(fields, _USED),
        )
