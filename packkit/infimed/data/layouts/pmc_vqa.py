"""PMC-VQA: a figure, a question and four choices; the answer is a letter.

Version 1 (``train.csv``) has the text of the answer in ``Answer`` and its letter in
``Answer_label``; its figures stand in ``images/``. Version 2 (``train_2.csv``) has the letter in
``Answer``, a ``Caption`` besides, and its figures in ``figures/``. Where there is only one of the
two folders, it is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from packkit.base.errors import RejectReason, SampleError, invalid_sample
from packkit.images import DataRoot
from packkit.infimed.data.multiple_choice import multiple_choice_prompt
from packkit.samples import Message, Sample
from packkit.sources.base import Fields, FixedLayout, id_from_field, rest_as_meta, text_from_field

CHOICES = {letter: f"Choice {letter}" for letter in "ABCD"}
"""The letter of each choice -> its field."""

_USED = {"index", "Figure_path", "Question", "Answer", "Answer_label", *CHOICES.values()}


class PmcVqaLayout(FixedLayout):
    """Rows with ``Figure_path``, ``Question``, ``Choice A`` to ``Choice D`` and ``Answer``."""

    name: ClassVar[str] = "pmc-vqa"

    def matches(self, fields: Fields) -> bool:
        """Whether there are a figure, a question and its choices."""
        return {"Figure_path", "Question", "Answer", *CHOICES.values()} <= fields.keys()

    def to_sample(self, fields: Fields, root: DataRoot) -> Sample:
        """Reads a question.

        Raises:
            SampleError: A part is missing, or the answer is none of the choices.
        """
        options = {
            letter: _choice(letter, text_from_field(fields, name))
            for letter, name in CHOICES.items()
        }
        images = root.within(*figure_folders(fields))
        prompt = multiple_choice_prompt(text_from_field(fields, "Question").strip(), options)
        return Sample(
            id=id_from_field(fields, "index"),
            messages=(
                Message("user", (None, prompt)),
                Message("assistant", (_answer(fields, options),)),
            ),
            images=(images.image(text_from_field(fields, "Figure_path")),),
            meta=rest_as_meta(fields, _USED),
        )


def is_version_1(fields: Fields) -> bool:
    """Whether a row is of version 1."""
    return "Answer_label" in fields


def figure_folders(fields: Fields) -> tuple[str, str]:
    """Returns the folders that figures may stand in, by preference."""
    return ("images", "figures") if is_version_1(fields) else ("figures", "images")


def choice_text(letter: str, choice: str) -> str:
    """Returns the text of a choice, such as `` A: Axial ``, without its letter."""
    return choice.strip().removeprefix(f"{letter}:").strip()


def _choice(letter: str, choice: str) -> str:
    text = choice_text(letter, choice)
    if not text:
        raise SampleError(RejectReason.EMPTY_TEXT, f"no text in field {CHOICES[letter]}")
    return text


def _answer(fields: Fields, options: Mapping[str, str]) -> str:
    """Returns the letter of the right choice."""
    letter = text_from_field(fields, "Answer_label" if is_version_1(fields) else "Answer").strip()
    if letter not in options:
        raise invalid_sample(f"the answer must be one of {', '.join(options)}, got {letter[:40]!r}")
    if is_version_1(fields):
        text = choice_text(letter, text_from_field(fields, "Answer"))
        if text in options.values() and text != options[letter]:
            raise invalid_sample(f"Answer_label is {letter}, but Answer is another choice")
    return letter
