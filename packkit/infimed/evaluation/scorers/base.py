"""The protocol of scorers: rules that read replies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from packkit.infimed.evaluation.questions import Question


@dataclass(frozen=True, slots=True)
class Reading:
    """What the rules of a scorer take from a reply.

    Attributes:
        answer: What the reply is taken to say; None where the rules cannot tell.
        is_right: Whether the answer is right by the rules alone; False where there is none.
        is_guess: Whether the rules fell back on likeness or chance.
    """

    answer: str | None
    is_right: bool = False
    is_guess: bool = False


class Scorer(Protocol):
    """Rules that read replies; pure functions, so that scoring again gives the same scores."""

    @property
    def name(self) -> str:
        """Name that scores are filed under."""

    @property
    def version(self) -> str:
        """Version of the rules; it changes whenever they give a reply another verdict."""

    @property
    def seed(self) -> int | None:
        """Seed of what the rules draw at random; None where they draw nothing."""

    def asks_judge(self, question: Question) -> bool:
        """Whether a judge, where there is one, decides on this question in place of the rules."""

    def read(self, question: Question, reply: str) -> Reading:
        """Reads a reply.

        Args:
            question: Question that was asked.
            reply: Text that the model wrote.
        """
