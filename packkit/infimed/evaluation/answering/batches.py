"""How models in this process answer: batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from packkit.infimed.evaluation.answering.base import Keep, Request
from packkit.infimed.evaluation.results import GivenAnswer
from packkit.training.generation import Written


def answer_in_batches(
    requests: Sequence[Request],
    size: int,
    write: Callable[[Sequence[Request]], Sequence[Written]],
    keep: Keep,
) -> None:
    """Answers requests in batches, and keeps the answers of each as soon as it is done.

    Args:
        requests: Each once.
        size: Of a batch.
        write: Answers a batch.
        keep: See `packkit.infimed.evaluation.answering.Answerer`.
    """
    for batch in batches(requests, size):
        for request, written in zip(batch, write(batch), strict=True):
            answer = GivenAnswer(
                benchmark=request.benchmark,
                question=request.question,
                state="ok",
                text=written.text,
                tokens=written.tokens,
                is_cut=written.is_cut,
                error="",
            )
            keep(answer)


def batches(requests: Sequence[Request], size: int) -> Iterator[list[Request]]:
    """Yields requests in batches of about one length, the longest first.

    A batch takes as long as its longest. Images weigh more than any text; and what is too much for
    the memory shows at once.

    >>> asked = [Request(benchmark="b", question=q, prompt=q) for q in ("a", "bbb", "cc")]
    >>> [[one.prompt for one in batch] for batch in batches(asked, 2)]
    [['bbb', 'cc'], ['a']]
    """
    ordered = sorted(requests, key=lambda one: (-len(one.images), -len(one.prompt)))
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]
