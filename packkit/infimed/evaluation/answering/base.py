"""What one who answers is: requests in, answers out, each as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from packkit.base.errors import SampleError
from packkit.images import ImageRef
from packkit.infimed.evaluation.results import GivenAnswer

Device = Literal["auto", "cpu", "cuda"]
"""Where a model in this process runs; ``auto`` is a GPU, if there is one."""

Keep = Callable[[GivenAnswer], None]
"""Keeps an answer; called once for each request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question on its way to a model.

    Attributes:
        benchmark: Name of the benchmark.
        question: Key of the question.
        prompt: What is asked, after the images.
        images: That it is about: encoded bytes, or where they stand.
    """

    benchmark: str
    question: str
    prompt: str
    images: tuple[bytes | ImageRef, ...] = ()

    def read_images(self) -> list[bytes]:
        """Returns the encoded images, reading them where they stand.

        Raises:
            SampleError: One cannot be read.
        """
        return [one if isinstance(one, bytes) else one.read() for one in self.images]

    @contextmanager
    def named(self) -> Iterator[None]:
        """Has an error that is the question's fault say which question it is."""
        try:
            yield
        except SampleError as error:
            place = f"question {self.question} of {self.benchmark}"
            raise SampleError(error.reason, f"{place}: {error.detail}") from error


class Answerer(Protocol):
    """Answers requests, always with the likeliest token."""

    @property
    def model(self) -> str:
        """The model, such as a checkpoint or a name at an endpoint."""

    @property
    def backend(self) -> str:
        """What runs it: ``packkit``, ``transformers`` or ``endpoint``."""

    @property
    def max_new_tokens(self) -> int:
        """Where an answer ends at the latest."""

    def answer_all(self, requests: Sequence[Request], keep: Keep) -> None:
        """Answers every request, in any order.

        Args:
            requests: Each once; their images are read when their turn comes.
            keep: Called as soon as an answer is there.

        Raises:
            SampleError: An image or a text is broken, and of which question.
            AccessError: An endpoint answers no request.
            KeyboardInterrupt: Ctrl-C ended it; what was answered is kept.
        """
