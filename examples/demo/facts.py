"""Short facts about a picture, each a word or a number, as benchmarks ask for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from attributes import BODY_PARTS, MODALITIES
from pictures import Picture

__all__ = ["Fact", "Options", "facts", "facts_in_chinese", "yes_no"]

_PLANES = ("axial", "coronal", "sagittal", "oblique")


class Fact(NamedTuple):
    """A question with a short answer.

    Attributes:
        topic: Topic of the question, in the words of SLAKE.
        question: Question that asks for the answer.
        answer: Answer, as the file states it.
        others: Wrong answers of the same kind.
        statement: Question with a gap ``{}``, which asks whether the text put there is true.
    """

    topic: str
    question: str
    answer: str
    others: tuple[str, ...]
    statement: str

    def options(self, number: int, count: int) -> Options:
        """Returns `count` options; their order and the wrong ones change with the number."""
        shift = number % len(self.others)
        texts = [*self.others[shift:], *self.others[:shift]][: count - 1]
        place = number % (len(texts) + 1)
        texts.insert(place, self.answer)
        return Options(texts, "ABCDE"[place])


class Options(NamedTuple):
    """The options of a multiple-choice question.

    Attributes:
        texts: Texts of the options, in the order of their letters.
        letter: Letter of the right option.
    """

    texts: list[str]
    letter: str


def facts(picture: Picture) -> Iterator[Fact]:
    """Yields all facts about a picture, always in the same order."""
    yield Fact(
        "Modality",
        "Which modality is this picture of, in DICOM's terms?",
        picture.modality,
        _but(picture.modality, MODALITIES),
        "Is this picture of the modality {}?",
    )
    if picture.plane:
        yield Fact(
            "Plane",
            "In which plane does this slice lie?",
            picture.plane,
            _but(picture.plane, _PLANES),
            "Is the plane of this slice {}?",
        )
    if part := picture.tags.get("BodyPartExamined"):
        names = [name for name, _ in BODY_PARTS.values()]
        name = BODY_PARTS[str(part)][0]
        question = "Which part of the body does the header of this picture name?"
        statement = "Does the header of this picture name {} as the part of the body?"
        yield Fact("Organ", question, name, _but(name, names), statement)
    yield _width(
        "How many pixels wide is this picture?", "Is this picture {} pixels wide?", picture
    )
    kinds = ("in colour", "grey") if picture.is_colour else ("grey", "in colour")
    question = "Is this picture grey or in colour?"
    yield Fact("Color", question, kinds[0], kinds[1:], "Is this picture {}?")


def facts_in_chinese(picture: Picture) -> Iterator[Fact]:
    """Yields the facts about modality and width in Chinese."""
    names = {term: modality.name_zh for term, modality in MODALITIES.items()}
    name = names[picture.modality]
    question = "这张图像是用什么成像方式获得的？"
    statement = "这张图像的成像方式是{}吗？"
    yield Fact("Modality", question, name, _but(name, names.values()), statement)
    yield _width("这张图片宽多少像素？", "这张图片的宽度是{}像素吗？", picture)


def yes_no(fact: Fact, is_true: bool, answers: tuple[str, str] = ("yes", "no")) -> tuple[str, str]:
    """Returns a question that one of two words answers, and the right word."""
    stated = fact.answer if is_true else fact.others[0]
    return fact.statement.format(stated), answers[0 if is_true else 1]


def _width(question: str, statement: str, picture: Picture) -> Fact:
    width = picture.size[0]
    others = (width * 2, width + 56, width * 3, width + 120)
    return Fact("Size", question, str(width), tuple(map(str, others)), statement)


def _but(answer: str, texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(text for text in texts if text != answer)
