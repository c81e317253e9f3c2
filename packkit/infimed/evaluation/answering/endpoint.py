"""Answers of a model behind an OpenAI-compatible endpoint, such as vLLM's."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial

from packkit.images.pixels import check_pixels
from packkit.infimed.chat import (
    Messages,
    OpenAIChat,
    Reply,
    RetryPolicy,
    Task,
    TaskResult,
    data_url,
    estimate_text_tokens,
    run_tasks,
)
from packkit.infimed.evaluation.answering.base import Keep, Request
from packkit.infimed.evaluation.results import AnswerRecord, AnswerState


class EndpointAnswerer:
    """A model behind an endpoint, asked many requests at the same time.

    Images are sent as they are; the endpoint prepares them for its model. Reasoning that the model
    writes into its reply is kept.

    Args:
        model: Name of the model at the endpoint.
        base_url: URL of the endpoint; see `OpenAIChat`.
        max_new_tokens: Tokens that a reply may have.
        concurrency: Requests on their way at the same time.
        policy: How often a request is tried.

    Raises:
        MissingExtraError: Package openai is not installed.
        InputError: OpenAI's own endpoint is asked without a key, or a number is under 1.
    """

    backend = "endpoint"

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None,
        max_new_tokens: int,
        concurrency: int,
        policy: RetryPolicy = RetryPolicy(),  # noqa: B008
    ) -> None:
        self.model = model
        self.max_new_tokens = max_new_tokens
        self._chat = OpenAIChat(model, base_url=base_url, max_tokens=max_new_tokens)
        self._concurrency = concurrency
        self._policy = policy

    def answer_all(self, requests: Sequence[Request], keep: Keep) -> None:
        """Answers every request; see `packkit.infimed.evaluation.answering.Answerer`.

        Requests that failed in the end are kept once no request is on its way any more.
        """
        failed: dict[str, AnswerRecord] = {}

        def record(task: Task, outcome: TaskResult[Reply]) -> None:
            answer = _answer(requests[int(task.request)], outcome)
            # The request may be tried again, and then have another answer.
            failed[task.request] = answer
            if answer.is_final:
                keep(failed.pop(task.request))

        try:
            run_tasks(
                self._chat,
                _tasks(requests),
                schema=None,
                read=lambda task, reply: reply,
                record=record,
                concurrency=self._concurrency,
                policy=self._policy,
            )
        finally:
            for answer in failed.values():
                keep(answer)


def _tasks(requests: Sequence[Request]) -> Iterator[Task]:
    for number, request in enumerate(requests):
        # The estimate serves limits on costs, of which there are none here: images do not count.
        tokens = estimate_text_tokens(request.prompt)
        yield Task(str(number), partial(_messages, request), tokens)


def _messages(request: Request) -> Messages:
    content: list[dict[str, object]] = []
    with request.naming_errors():
        for data in request.read_images():
            check_pixels(data)
            content.append({"type": "image_url", "image_url": {"url": data_url(data, sys.maxsize)}})
    content.append({"type": "text", "text": request.prompt})
    return [{"role": "user", "content": content}]


def _answer(request: Request, outcome: TaskResult[Reply]) -> AnswerRecord:
    state, error = _state(outcome)
    reply = outcome.value
    return AnswerRecord(
        benchmark=request.benchmark,
        question=request.question,
        state=state,
        text=reply.text if reply is not None and state == "ok" else "",
        tokens=None if reply is None else reply.completion_tokens,
        is_cut=reply is not None and reply.finish_reason == "length",
        error=error,
    )


def _state(outcome: TaskResult[Reply]) -> tuple[AnswerState, str]:
    """Returns the state of an answer, and what went wrong."""
    reply = outcome.value
    if reply is None:
        return ("refused" if outcome.state == "refused" else "http_error"), outcome.error
    if reply.refusal is not None:
        return "refused", reply.refusal
    if reply.finish_reason == "content_filter":
        return "refused", "a content filter stopped the reply"
    return "ok", ""
