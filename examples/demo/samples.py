"""Puts questions, answers and pictures together into the conversations of the demo.

A conversation is a record in packkit's canonical form. Its ``meta`` says where it comes from and
which attributes of each file its texts state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from attributes import ATTRIBUTES, GROUPS, MODALITIES
from pairs import pairs
from pictures import Picture
from texts import (
    Exchange,
    about_attribute,
    about_body_part,
    about_colour,
    about_group,
    about_modality,
    about_plane,
    about_position,
    about_rendering,
    about_size,
)
from texts_zh import exchanges_in_chinese

__all__ = ["Record", "conversations"]

Record = dict[str, Any]

_SYSTEM = (
    "You answer questions about medical images from what their files state. "
    "You do not guess, and you report no findings."
)


def conversations(pictures: Sequence[Picture]) -> Iterator[Record]:
    """Yields every conversation of the demo, always in the same order."""
    for number, picture in enumerate(pictures):
        yield from _short(picture)
        yield from _long(picture, number)
    for number, (first, second, exchanges) in enumerate(pairs(pictures)):
        yield _record(f"pair-{number:02}", [first, second], exchanges)
    yield from _glossary()


def _short(picture: Picture) -> Iterator[Record]:
    """Yields conversations with one question each."""
    exchanges = {"modality": about_modality(picture), "size": about_size(picture)}
    if picture.about[0]:
        question = "What does this picture show, according to its documentation?"
        exchanges["about"] = Exchange(question, picture.about[0])
    if picture.position is not None:
        exchanges["position"] = about_position(picture)
    if picture.modality in ("CT", "MR"):
        exchanges["plane"] = about_plane(picture)
    if "Modality" in picture.tags:
        exchanges["body-part"] = about_body_part(picture)
        exchanges["colour"] = about_colour(picture)
    for name, exchange in exchanges.items():
        yield _record(f"{picture.key}/{name}", [picture], [exchange])


def _long(picture: Picture, number: int) -> Iterator[Record]:
    """Yields conversations with several questions; which and how many changes with the number."""
    if keywords := list(picture.tags)[number % 4 :: 4][: 2 + number % 3]:
        exchanges = [about_attribute(picture, keyword) for keyword in keywords]
        yield _record(f"{picture.key}/attributes", [picture], exchanges)
    exchanges = [about_modality(picture), about_colour(picture), about_rendering(picture)]
    yield _record(f"{picture.key}/rendering", [picture], exchanges, _SYSTEM if number % 2 else None)
    if groups := [group for group in GROUPS if picture.tags.keys() & GROUPS[group]]:
        exchanges = [about_group(picture, group) for group in groups]
        yield _record(f"{picture.key}/walk", [picture], exchanges, None if number % 2 else _SYSTEM)
    if number % 3 == 0:
        yield _record(f"{picture.key}/zh", [picture], exchanges_in_chinese(picture)[:4])


def _glossary() -> Iterator[Record]:
    """Yields conversations without a picture, which explain attributes and modalities."""
    keywords = list(ATTRIBUTES)
    for start in range(0, len(keywords), 3):
        exchanges = [_explain(keyword) for keyword in keywords[start : start + 3]]
        yield _record(f"glossary/{keywords[start]}", [], exchanges)
    for term, modality in MODALITIES.items():
        question = f"What does the DICOM modality {term} stand for?"
        answer = f"It stands for {modality.name}."
        yield _record(f"glossary/{term}", [], [Exchange(question, answer)])
        question = f"DICOM中的成像方式{term}指什么？"
        yield _record(f"glossary/{term}-zh", [], [Exchange(question, f"{modality.name_zh}。")])


def _explain(keyword: str) -> Exchange:
    attribute = ATTRIBUTES[keyword]
    question = f"What is the {attribute.name} in the header of a medical image?"
    explanation = f"I{attribute.explanation[1:]}"
    unit = f" Its unit is {attribute.unit}." if attribute.unit else ""
    return Exchange(question, f"{explanation}.{unit}")


def _record(
    name: str, pictures: Sequence[Picture], exchanges: Sequence[Exchange], system: str | None = None
) -> Record:
    """Makes a conversation; the pictures stand before the first question."""
    parts = [{"type": "image"} for _ in pictures]
    messages: list[Record] = [{"role": "system", "content": system}] if system else []
    for exchange in exchanges:
        question = [*parts, {"type": "text", "text": exchange.question}]
        messages.append({"role": "user", "content": question if parts else exchange.question})
        messages.append({"role": "assistant", "content": exchange.answer})
        parts = []
    return {
        "id": f"vqa/{name}",
        "messages": messages,
        "images": [{"path": f"images/{picture.key}.{picture.suffix}"} for picture in pictures],
        "meta": _meta(pictures, exchanges),
    }


def _meta(pictures: Sequence[Picture], exchanges: Sequence[Exchange]) -> Record:
    stated = dict.fromkeys(keyword for exchange in exchanges for keyword in exchange.states)
    packages = sorted({picture.file.partition("/")[0] for picture in pictures})
    return {
        "source": "+".join(packages) or "glossary",
        "modality": "+".join(sorted({picture.modality for picture in pictures})) or "none",
        "files": [picture.file for picture in pictures],
        "positions": [picture.position for picture in pictures],
        "states": [
            {keyword: picture.tags[keyword] for keyword in stated if keyword in picture.tags}
            for picture in pictures
        ],
    }
