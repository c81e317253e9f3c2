"""Describes a picture by what its file states, in one sentence or at length."""

from __future__ import annotations

from attributes import ATTRIBUTES, BODY_PARTS, MODALITIES
from pictures import Picture
from texts import about_modality, about_position, about_rendering, place_in_file, value_text

__all__ = ["caption", "long_caption"]


def caption(picture: Picture) -> str:
    """Describes the picture in one sentence, which no other picture has."""
    width, height = picture.size
    parts = [_subject(picture)]
    if place := place_in_file(picture):
        parts.append(f"{place[0]} {place[1]} of {place[2]}")
    if picture.modality == "CT" and picture.window:
        parts.append(f"window centre {picture.window[0]:g} and width {picture.window[1]:g}")
    if picture.crop:
        parts.append(f"columns {picture.crop[0]} to {picture.crop[2] - 1} of the frame")
    return f"{', '.join(parts)}, {width} x {height} pixels."


def _subject(picture: Picture) -> str:
    if picture.about[0]:
        return picture.about[0].rstrip(".")
    words = " ".join(filter(None, (picture.plane, MODALITIES[picture.modality].image)))
    part = picture.tags.get("BodyPartExamined")
    return f"{words[0].upper()}{words[1:]}" + (f" of {BODY_PARTS[str(part)][0]}" if part else "")


def long_caption(picture: Picture) -> str:
    """Describes the picture by all that its file states."""
    sentences = [caption(picture), about_modality(picture).answer]
    if picture.position is not None:
        sentences.append(about_position(picture).answer)
    for keyword, value in picture.tags.items():
        if keyword not in ("Modality", "BodyPartExamined", "ImageOrientationPatient"):
            sentences.append(f"The {ATTRIBUTES[keyword].name} is {value_text(keyword, value)}.")
    sentences.append(about_rendering(picture).answer)
    return " ".join(sentences)
