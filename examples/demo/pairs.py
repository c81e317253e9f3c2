"""Questions about two pictures at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from attributes import ATTRIBUTES, MODALITIES
from pictures import Picture
from texts import Exchange, value_text

__all__ = ["Pair", "pairs"]

_SLICE_QUESTIONS = {
    "axial": "Which of these two axial slices lies closer to the top of the head?",
    "coronal": "Which of these two coronal slices lies further to the front?",
    "sagittal": "Which of these two sagittal slices lies further to the left of the body?",
}

# Distance to the second picture in the list, large enough for most pairs to have two modalities.
_STRIDE = 13


class Pair(NamedTuple):
    """Two pictures and the questions about them."""

    first: Picture
    second: Picture
    exchanges: tuple[Exchange, ...]


def pairs(pictures: Sequence[Picture]) -> Iterator[Pair]:
    """Yields every pair of the demo, always in the same order."""
    for number, neighbours in enumerate(pairwise(pictures)):
        # Without turning some pairs around, the answer would always be the second picture.
        first, second = neighbours[:: -1 if number % 2 else 1]
        if exchange := _compare_neighbours(first, second):
            yield Pair(first, second, (exchange,))
    for number, first in enumerate(pictures):
        second = pictures[(number + _STRIDE) % len(pictures)]
        if first.modality != second.modality:
            target = (first, second)[number % 2]
            exchanges = _find_modality(first, second, target), _compare_sizes(first, second)
            yield Pair(first, second, exchanges)
    with_header = [picture for picture in pictures if "Modality" in picture.tags]
    for number, first in enumerate(with_header):
        second = with_header[(number + _STRIDE) % len(with_header)]
        yield Pair(first, second, (_compare_headers(first, second),))


def _compare_neighbours(first: Picture, second: Picture) -> Exchange | None:
    """Compares two pictures of the same file; None where there is nothing to ask."""
    if first.file != second.file or first.plane != second.plane:
        return None
    if first.position is None or second.position is None:
        return _compare_windows(first, second)
    later = "second" if second.position > first.position else "first"
    numbers = f"{first.position + 1} and {second.position + 1}"
    if "VolumeShape" in first.tags:
        question = _SLICE_QUESTIONS[str(first.plane)]
        return Exchange(question, f"The {later}: they are slices {numbers} of the volume.")
    question = "Both pictures are frames of one file. Which of them comes later in it?"
    return Exchange(question, f"The {later}: they are frames {numbers}.")


def _compare_windows(first: Picture, second: Picture) -> Exchange | None:
    if first.window is None or second.window is None:
        return None
    windows = [
        f"centre {center:g} and width {width:g}" for center, width in (first.window, second.window)
    ]
    return Exchange(
        "Both pictures show the same slice. What is the difference between them?",
        f"The window. The first has {windows[0]}, the second has {windows[1]}.",
    )


def _find_modality(first: Picture, second: Picture, target: Picture) -> Exchange:
    image = MODALITIES[target.modality].image
    place = "first" if target is first else "second"
    return Exchange(
        f"One of the two pictures is of the modality {target.modality} ({image}). Which?",
        f"The {place}. The modalities are {first.modality} and {second.modality}.",
        ("Modality",),
    )


def _compare_sizes(first: Picture, second: Picture) -> Exchange:
    sizes = first.size, second.size
    larger = "first" if sizes[0][0] * sizes[0][1] > sizes[1][0] * sizes[1][1] else "second"
    first_size, second_size = (f"{width} x {height}" for width, height in sizes)
    return Exchange(
        "And which of the two has more pixels?",
        f"The {larger}: the first has {first_size} pixels, the second {second_size}.",
    )


def _compare_headers(first: Picture, second: Picture) -> Exchange:
    """Goes through what two headers state, without claiming that either lacks something."""
    stated = tuple(
        keyword for keyword in ATTRIBUTES if keyword in first.tags or keyword in second.tags
    )
    return Exchange(
        "Compare the headers of the two images, attribute by attribute.",
        " ".join(_compare_attribute(keyword, first, second) for keyword in stated),
        stated,
    )


def _compare_attribute(keyword: str, first: Picture, second: Picture) -> str:
    name, explanation = ATTRIBUTES[keyword].name, ATTRIBUTES[keyword].explanation
    if keyword in first.tags and keyword in second.tags:
        values = [value_text(keyword, picture.tags[keyword]) for picture in (first, second)]
        if values[0] == values[1]:
            return f"The {name} is {values[0]} in both; {explanation}."
        return (
            f"The {name} is {values[0]} in the first and {values[1]} in the second; {explanation}."
        )
    place, picture = ("first", first) if keyword in first.tags else ("second", second)
    value = value_text(keyword, picture.tags[keyword])
    return f"In the {place}, the {name} is {value}; {explanation}."
