"""LLaVA-Med's captions of figures, and the sentences of the article that mention them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from packkit.base.errors import invalid_sample
from packkit.images import DataRoot
from packkit.samples import Sample
from packkit.sources.base import Fields, FixedLayout, rest_as_meta, text_from_field
from packkit.sources.unused import check_parts_read

_USED = {"pair_id", "fig_caption", "in_text_mention"}


class FigureCaptionsLayout(FixedLayout):
    """Records with ``pair_id``, ``fig_caption`` and ``in_text_mention[]``.

    A document of the image, its caption, and each mention as a further paragraph. The image is
    ``<pair_id>.jpg`` under the data root, in ``images/`` where there is such a folder. A mention is
    text, or an object that has it under ``tokens``.
    """

    name: ClassVar[str] = "figure-captions"

    def matches(self, fields: Fields) -> bool:
        """Whether there are a figure and its caption, and no conversation made from them."""
        return {"pair_id", "fig_caption"} <= fields.keys() and "conversations" not in fields

    def to_sample(self, fields: Fields, root: DataRoot) -> Sample:
        """Reads a caption and its mentions.

        Raises:
            SampleError: Figure or caption is missing, or a mention is not text.
        """
        name, rest = text_from_field(fields, "pair_id"), rest_as_meta(fields, _USED)
        check_parts_read(rest, ("mention",))
        paragraphs = [text_from_field(fields, "fig_caption"), *_mentions(fields)]
        return Sample(
            id=name,
            content=(None, "\n\n".join(paragraphs)),
            images=(root.within("images").image(f"{name}.jpg"),),
            meta=rest,
        )


def _mentions(fields: Fields) -> Iterator[str]:
    mentions = fields.get("in_text_mention") or []
    if not isinstance(mentions, list):
        raise invalid_sample("in_text_mention must be a list")
    for number, mention in enumerate(mentions):
        match mention:
            case str(text) | {"tokens": str(text)}:
                if text.strip():
                    yield text
            case _:
                raise invalid_sample(f"mention {number} must be text or an object with tokens")
