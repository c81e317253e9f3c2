"""mmc4: ``text_list[]``, and ``image_info[]`` whose entries name the sentence they belong to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import ClassVar

from packkit.base.errors import invalid_sample
from packkit.images import DataRoot, ImageRef
from packkit.samples import Content, Sample
from packkit.sources.base import Fields, FixedLayout, add_text, image_from_field, rest_as_meta

_USED = {"text_list", "image_info", "similarity_matrix"}


class Mmc4Layout(FixedLayout):
    """Documents of sentences, each image before the one that it was matched to.

    Images of one sentence keep the order of ``image_info``; sentences between images are joined by
    a space. An image is looked for by its ``image_name`` under the data root, in ``images/`` where
    there is such a folder. What the matching was made from is left out: the similarities, and what
    stands beside ``image_name`` and ``matched_text_index``.
    """

    name: ClassVar[str] = "mmc4"

    def matches(self, fields: Fields) -> bool:
        """Whether there are sentences and matched images."""
        return "text_list" in fields and "image_info" in fields

    def to_sample(self, fields: Fields, root: DataRoot) -> Sample:
        """Reads a document.

        Raises:
            SampleError: A sentence is not text, or an image belongs to no sentence.
        """
        sentences, infos = fields.get("text_list"), fields.get("image_info")
        if not isinstance(sentences, list) or not isinstance(infos, list):
            raise invalid_sample("text_list and image_info must be lists")
        if not all(isinstance(sentence, str) for sentence in sentences):
            raise invalid_sample("every entry of text_list must be text")
        images: defaultdict[int, list[bytes | ImageRef]] = defaultdict(list)
        for number, info in enumerate(infos):
            index = _sentence_of(info, number, len(sentences))
            images[index].append(image_from_field(info.get("image_name"), root.within("images")))
        return Sample(
            content=_content(sentences, {index: len(group) for index, group in images.items()}),
            images=tuple(image for index in sorted(images) for image in images[index]),
            meta=rest_as_meta(fields, _USED),
        )


def _sentence_of(info: object, number: int, count: int) -> int:
    match info:
        # True is an int too, but not an index.
        case {"matched_text_index": int(index)} if type(index) is int and 0 <= index < count:
            return index
        # Tables with a gap have fractions throughout.
        case {"matched_text_index": float(index)} if index.is_integer() and 0 <= index < count:
            return int(index)
    raise invalid_sample(f"image {number} must have a matched_text_index in 0..{count - 1}")


def _content(sentences: list[str], images: Mapping[int, int]) -> Content:
    content: list[str | None] = []
    for index, sentence in enumerate(sentences):
        content += [None] * images.get(index, 0)
        add_text(content, sentence, " ")
    return tuple(content)
