"""What a scorer is: rules that read replies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from packkit.infimed.evaluation.questions import Question


@dataclass(frozen=True, slots=True)
class Reading:
    """What the rules of a scorer make of a reply.

    Attributes:
        answer: What the reply is taken to say; None where it cannot be told.
        is_right: Whether that is right by the rules alone; never where there is no answer.
        is_guess: Whether the rules fell back on likeness or chance.
    """

    answer: str | None
    is_right: bool = False
    is_guess: bool = False


class Scorer(Protocol):
    """Rules that read replies; pure, so that scoring again gives the same."""

    @property
    def name(self) -> str:
        """What scores are filed under."""

    @property
    def version(self) -> str:
        """Of its rules: changes with every verdict that they change."""

    @property
    def seed(self) -> int | None:
        """Of its draws; None where it draws nothing."""

    def asks_judge(self, question: Question) -> bool:
        """Whether a judge, where there is one, decides on this question in place of the rules."""

    def read(self, question: Question, reply: str) -> Reading:
        """Reads a reply.

        Args:
            question: That was asked.
            reply: All that the model wrote.
        """
