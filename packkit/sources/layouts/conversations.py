"""Conversations: turns under ``conversations``, ``messages`` or ``texts``, images beside them.

LLaVA, ShareGPT, ms-swift, LLaMA-Factory, TRL, OpenAI, the_cauldron and FineVision write them so.
`packkit.sources.turns` reads the turns of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from packkit.base.errors import invalid_sample
from packkit.images import DataRoot
from packkit.samples import Sample
from packkit.samples.sample_json import kind_of
from packkit.sources.base import Fields, FixedLayout, id_from_field, rest_as_meta
from packkit.sources.turns import images_of, read_conversation


class _Conversations(FixedLayout):
    """Turns under one key, and ``id``, ``image`` or ``images``, ``system`` beside them."""

    _turns: ClassVar[str]

    def matches(self, fields: Fields) -> bool:
        """Whether there are turns."""
        return self._turns in fields

    def to_sample(self, fields: Fields, root: DataRoot) -> Sample:
        """Reads a conversation.

        Raises:
            SampleError: A turn is malformed, or markers and images differ in number.
        """
        conversation = read_conversation(
            fields.get(self._turns), images_of(fields, root), root, system=fields.get("system")
        )
        return Sample(
            id=id_from_field(fields, "id"),
            messages=conversation.messages,
            images=conversation.images,
            meta=self._meta(fields),
        )

    def _meta(self, fields: Fields) -> dict[str, object]:
        return rest_as_meta(fields, {"id", "image", "images", "system", self._turns})


class LlavaLayout(_Conversations):
    """Turns of ``{"from", "value"}`` under ``conversations``, as LLaVA and ShareGPT have them."""

    name: ClassVar[str] = "llava"
    _turns: ClassVar[str] = "conversations"


class MessagesLayout(_Conversations):
    """Turns of ``{"role", "content"}`` under ``messages``; an object ``meta`` is taken as it is."""

    name: ClassVar[str] = "messages"
    _turns: ClassVar[str] = "messages"

    def _meta(self, fields: Fields) -> dict[str, object]:
        meta = fields.get("meta")
        if meta is None:
            return super()._meta(fields)
        if not isinstance(meta, Mapping):
            raise invalid_sample(f"meta must be an object, got {kind_of(meta)}")
        rest = super()._meta({key: value for key, value in fields.items() if key != "meta"})
        if clash := sorted(meta.keys() & rest.keys()):
            raise invalid_sample(f"key {clash[0]!r} stands both in the sample and in its meta")
        return {**meta, **rest}


class CauldronLayout(_Conversations):
    """Pairs of ``{"user", "assistant"}`` under ``texts``, as the_cauldron and FineVision have them.

    The images come first.
    """

    name: ClassVar[str] = "cauldron"
    _turns: ClassVar[str] = "texts"

    def matches(self, fields: Fields) -> bool:
        """Whether there are texts that are pairs of turns."""
        texts = fields.get("texts")
        return isinstance(texts, list) and any(
            isinstance(text, Mapping) and {"user", "assistant"} <= text.keys() for text in texts
        )
