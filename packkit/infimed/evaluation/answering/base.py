"""The protocol of models that answer: requests in, answers out, each as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from packkit.base.errors import SampleError
from packkit.images import ImageRef
from packkit.infimed.evaluation.results import AnswerRecord

Device = Literal["auto", "cpu", "cuda"]
"""Where a model in this process runs; ``auto`` is a GPU, if there is one."""

Keep = Callable[[AnswerRecord], None]
"""Keeps an answer; called once for each request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question on its way to a model.

    Attributes:
        benchmark: Name of the benchmark.
        question: Key of the question.
        prompt: What is asked, after the images.
        images: Images that the question is about, in order: encoded bytes or references.
    """

    benchmark: str
    question: str
    prompt: str
    images: tuple[bytes | ImageRef, ...] = ()

    def read_images(self) -> list[bytes]:
        """Returns the encoded images, having read those that are references.

        Raises:
            SampleError: An image cannot be read.
        """
        return [image if isinstance(image, bytes) else image.read() for image in self.images]

    @contextmanager
    def naming_errors(self) -> Iterator[None]:
        """Adds the question to the message of an error that its images or its text cause."""
        try:
            yield
        except SampleError as error:
            place = f"question {self.question} of {self.benchmark}"
            raise SampleError(error.reason, f"{place}: {error.detail}") from error


class Answerer(Protocol):
    """A model that answers requests, always with the likeliest token."""

    @property
    def model(self) -> str:
        """Name or path of the model, such as a checkpoint or a name at an endpoint."""

    @property
    def backend(self) -> str:
        """What runs the model: ``packkit``, ``transformers`` or ``endpoint``."""

    @property
    def max_new_tokens(self) -> int:
        """Tokens that a reply may have."""

    def answer_all(self, requests: Sequence[Request], keep: Keep) -> None:
        """Answers every request, in any order.

        Args:
            requests: Requests without repeats; images are read when their turn comes.
            keep: Called with every answer as soon as it comes.

        Raises:
            SampleError: An image or a text is broken; the message names its question.
            AccessError: An endpoint answers no request.
            KeyboardInterrupt: Ctrl-C ended it; what was answered is kept.
        """
