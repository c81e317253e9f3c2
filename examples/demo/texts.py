"""Says about a picture what its file states, and nothing else: no findings, no guesses.

Every exchange names the attributes that its answer states, so that each can be checked against
the file.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple

from attributes import ATTRIBUTES, BODY_PARTS, GROUPS, MODALITIES
from pictures import Picture
from rendering import TagValue

__all__ = [
    "Exchange",
    "about_attribute",
    "about_body_part",
    "about_colour",
    "about_group",
    "about_modality",
    "about_plane",
    "about_position",
    "about_rendering",
    "about_size",
    "place_in_file",
    "value_text",
]

# Values in free text are quoted.
_QUOTED = {*GROUPS["examination"], "FilterType", "PulseSequenceName"} - {
    "BodyPartExamined",
    "ImageType",
    "Modality",
}

_SUBJECTS = {
    "examination": "the examination and the equipment",
    "geometry": "position and geometry",
    "acquisition": "the acquisition",
    "pixels": "how the pixels are stored",
}

# Plane -> number of the axis that its slices are perpendicular to, and the end of that axis.
_AXES = {"sagittal": (0, "left"), "coronal": (1, "anterior"), "axial": (2, "superior")}


class Exchange(NamedTuple):
    """A question and its answer.

    Attributes:
        question: Question of the user.
        answer: Answer, as the file states it.
        states: Keywords of the attributes that the answer states.
    """

    question: str
    answer: str
    states: tuple[str, ...] = ()


def _pick(options: Sequence[str], *key: str) -> str:
    """Chooses one of several phrasings: always the same for the same key."""
    return options[zlib.crc32("/".join(key).encode()) % len(options)]


def value_text(keyword: str, value: TagValue) -> str:
    """Writes a value with its unit, as it stands in a sentence."""
    if isinstance(value, list):
        text = ", ".join(part if isinstance(part, str) else f"{part:g}" for part in value)
    else:
        text = f"{value:g}" if isinstance(value, float) else str(value)
    if keyword in _QUOTED:
        text = f'"{text}"'
    return f"{text} {ATTRIBUTES[keyword].unit}".rstrip()


def about_modality(picture: Picture) -> Exchange:
    """Asks how the image was taken."""
    term, name = picture.modality, MODALITIES[picture.modality].name
    questions = (
        "Which imaging modality produced this picture?",
        "What kind of medical image is this?",
        "How was this image acquired?",
        "Name the modality of this image.",
    )
    answers = (
        f"The modality is {term}: {name}.",
        f"In DICOM's terms, the modality is {term}: {name}.",
        f"The modality is {term}, DICOM's term for {name}.",
    )
    return Exchange(_pick(questions, picture.key), _pick(answers, picture.key), ("Modality",))


def about_size(picture: Picture) -> Exchange:
    """Asks how large the picture is."""
    width, height = picture.size
    questions = (
        "What are the dimensions of this picture?",
        "How many pixels wide and high is this picture?",
        "Give the width and the height of the picture.",
    )
    answer = f"The picture is {width} pixels wide and {height} pixels high."
    if picture.crop is None:
        return Exchange(_pick(questions, picture.key), answer)
    rows, columns = picture.tags["Rows"], picture.tags["Columns"]
    answer += f" It is cropped from a frame of {rows} rows and {columns} columns."
    return Exchange(_pick(questions, picture.key), answer, ("Rows", "Columns"))


def about_plane(picture: Picture) -> Exchange:
    """Asks for the anatomical plane of a slice."""
    questions = (
        "In which anatomical plane does this slice lie?",
        "Is this slice axial, coronal, sagittal or oblique?",
        "Which plane was imaged?",
    )
    if picture.plane is None:
        answer = "The file states no image orientation, so it does not tell the plane."
        return Exchange(_pick(questions, picture.key), answer)
    if "VolumeShape" in picture.tags:
        axis = _AXES[picture.plane][1]
        answer = f"It is {picture.plane}: the slice stands on the axis that runs to {axis}."
        return Exchange(_pick(questions, picture.key), answer)
    orientation = value_text("ImageOrientationPatient", picture.tags["ImageOrientationPatient"])
    answer = f"It is {picture.plane}, from an image orientation of {orientation}."
    return Exchange(_pick(questions, picture.key), answer, ("ImageOrientationPatient",))


def about_body_part(picture: Picture) -> Exchange:
    """Asks for the body part that the header names; it may name none."""
    question = _pick(
        (
            "Which body part does the header name?",
            "According to its header, what part of the body does this image show?",
        ),
        picture.key,
    )
    part = picture.tags.get("BodyPartExamined")
    if part is None:
        return Exchange(question, "The header gives no value for Body Part Examined.")
    name = BODY_PARTS[str(part)][0]
    return Exchange(question, f"The header names {name} ({part}).", ("BodyPartExamined",))


def about_colour(picture: Picture) -> Exchange:
    """Asks whether the picture has colours, and why."""
    kind = "in colour" if picture.is_colour else "grey"
    question = _pick(
        ("Is this picture grey or in colour?", "Is this a colour picture?"), picture.key
    )
    stored = picture.tags.get("PhotometricInterpretation")
    if stored is None:
        return Exchange(question, f"The picture is {kind}.")
    answer = f"The picture is {kind}. The photometric interpretation of the file is {stored}."
    return Exchange(question, answer, ("PhotometricInterpretation",))


def about_position(picture: Picture) -> Exchange:
    """Asks which frame or slice of its file the picture is.

    Raises:
        ValueError: The picture is neither.
    """
    place = place_in_file(picture)
    if place is None:
        raise ValueError(f"{picture.key} is neither a frame nor a slice")
    kind, number, count = place
    question, answer = f"Which {kind} of the file is this?", f"It is {kind} {number} of {count}"
    if kind == "slice":
        direction = _AXES[str(picture.plane)][1]
        return Exchange(question, f"{answer} along the axis that runs to {direction}.")
    if "FrameTime" not in picture.tags:
        return Exchange(question, f"{answer}.", ("NumberOfFrames",))
    time = float(picture.tags["FrameTime"])
    answer += f". At {time:g} ms a frame, it comes {(number - 1) * time:.0f} ms after the first."
    return Exchange(question, answer, ("NumberOfFrames", "FrameTime"))


def place_in_file(picture: Picture) -> tuple[str, int, int] | None:
    """Returns frame or slice, its number from 1 and how many there are; None for whole files."""
    if picture.position is None:
        return None
    if "VolumeShape" in picture.tags:
        count = picture.tags["VolumeShape"][_AXES[str(picture.plane)][0]]
        return "slice", picture.position + 1, count
    return "frame", picture.position + 1, picture.tags["NumberOfFrames"]


def about_attribute(picture: Picture, keyword: str) -> Exchange:
    """Asks for the value of one attribute."""
    name, value = ATTRIBUTES[keyword].name, value_text(keyword, picture.tags[keyword])
    questions = (
        f"What is the {name}?",
        f"Which {name} does the header of this image state?",
        f"According to the header, what is the {name}?",
        f"State the {name} of this image.",
    )
    answers = (f"The {name} is {value}.", f"The header gives {value} as the {name}.", f"{value}.")
    chosen = _pick(questions, keyword, picture.key), _pick(answers, picture.key, keyword)
    return Exchange(*chosen, (keyword,))


def about_group(picture: Picture, group: str) -> Exchange:
    """Asks for all attributes of a group; the answer says what each of them means."""
    stated = tuple(keyword for keyword in GROUPS[group] if keyword in picture.tags)
    sentences = [
        f"The {ATTRIBUTES[keyword].name} is {value_text(keyword, picture.tags[keyword])}; "
        f"{ATTRIBUTES[keyword].explanation}."
        for keyword in stated
    ]
    question = _pick(
        (
            f"What does the header say about {_SUBJECTS[group]}, and what does it mean?",
            f"Go through what is stated about {_SUBJECTS[group]}.",
        ),
        picture.key,
        group,
    )
    return Exchange(question, " ".join(sentences), stated)


def about_rendering(picture: Picture) -> Exchange:
    """Asks how the stored values became the picture."""
    question = _pick(
        (
            "How were the stored values turned into this picture?",
            "What was done to the pixels of the file to show them?",
        ),
        picture.key,
    )
    if picture.about[0]:
        return Exchange(question, "The image file is shown as it is.")
    sentences, states = _steps(picture)
    if picture.crop is not None:
        left, top, right, bottom = picture.crop
        sentences.append(
            f"Only columns {left} to {right - 1} and rows {top} to {bottom - 1} are shown."
        )
    return Exchange(question, " ".join(sentences), states)


def _steps(picture: Picture) -> tuple[list[str], tuple[str, ...]]:
    stored = str(picture.tags.get("PhotometricInterpretation", "MONOCHROME2"))
    return _grey_steps(picture) if stored.startswith("MONOCHROME") else _colour_steps(stored)


def _grey_steps(picture: Picture) -> tuple[list[str], tuple[str, ...]]:
    sentences, states = [], []
    if "RescaleSlope" in picture.tags:
        states += ["RescaleSlope", "RescaleIntercept"]
        slope, intercept = (value_text(keyword, picture.tags[keyword]) for keyword in states)
        sentences.append(f"Stored values were multiplied by {slope}, and {intercept} was added.")
    if picture.window is None:
        sentences.append(
            "The file states no window, so values from the 0.5th to the 99.5th percentile are "
            "shown from black to white."
        )
    else:
        origin = "the file states" if picture.window_is_stated else "was chosen for this picture"
        center, width = picture.window
        sentences.append(
            f"Values are seen through a window with centre {center:g} and width {width:g}, "
            f"which {origin}."
        )
    if picture.tags.get("PhotometricInterpretation") == "MONOCHROME1":
        states.append("PhotometricInterpretation")
        sentences.append(
            "The picture was inverted, since in MONOCHROME1 the lowest value is white."
        )
    if picture.is_colour:
        sentences.append("Values that the file's supplemental palette covers have its colours.")
    return sentences, tuple(states)


def _colour_steps(stored: str) -> tuple[list[str], tuple[str, ...]]:
    step = {
        "PALETTE COLOR": "Each stored value was looked up in the palette of the file.",
        "RGB": "Red, green and blue are shown as they are stored.",
        "YBR_FULL_422": "Luminance and colour differences were turned into red, green and blue.",
    }
    sentences = [f"The pixels are stored as {stored}.", step[stored]]
    return sentences, ("PhotometricInterpretation",)
