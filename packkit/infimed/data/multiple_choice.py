"""The one wording of a multiple-choice question, for training and for evaluation alike."""

from __future__ import annotations

from collections.abc import Mapping


def multiple_choice_prompt(question: str, options: Mapping[str, str]) -> str:
    r"""Returns what the user asks; the answer that it asks for is a letter.

    Args:
        question: Text of the question, as the data set has it.
        options: Letter -> text of each option, in the order in which they are shown.

    >>> print(multiple_choice_prompt("Which plane?", {"A": "Axial", "B": "Coronal"}))
    Question: Which plane?
    Options:
    A. Axial
    B. Coronal
    Answer with the option's letter from the given choices directly.
    """
    return "\n".join(
        [
            f"Question: {question}",
            "Options:",
            *(f"{letter}. {text}" for letter, text in options.items()),
            "Answer with the option's letter from the given choices directly.",
        ]
    )
