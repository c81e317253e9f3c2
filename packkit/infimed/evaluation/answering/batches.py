"""Batches of requests, as models in this process answer them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from packkit.infimed.evaluation.answering.base import Keep, Request
from packkit.infimed.evaluation.results import AnswerRecord
from packkit.training.generation import Written


def answer_in_batches(
    requests: Sequence[Request],
    size: int,
    write: Callable[[Sequence[Request]], Sequence[Written]],
    keep: Keep,
) -> None:
    """Answers requests in batches, and keeps the answers of a batch as soon as it is done.

    Args:
        requests: Requests without repeats.
        size: Number of requests in a batch.
        write: Function that writes the replies to a batch.
        keep: Called with every answer; see `packkit.infimed.evaluation.answering.Answerer`.
    """
    for batch in batches(requests, size):
        for request, written in zip(batch, write(batch), strict=True):
            answer = AnswerRecord(
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
    """Yields requests in batches of about the same length, the longest first.

    A batch takes as long as its longest request. Images count for more than any text. A batch that
    does not fit into memory is thus the first.

    >>> asked = [Request(benchmark="b", question=q, prompt=q) for q in ("a", "bbb", "cc")]
    >>> [[request.prompt for request in batch] for batch in batches(asked, 2)]
    [['bbb', 'cc'], ['a']]
    """
    ordered = sorted(requests, key=lambda request: (-len(request.images), -len(request.prompt)))
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]
