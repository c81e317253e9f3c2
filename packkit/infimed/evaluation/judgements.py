"""Judgements of answers, kept line by line, and asking a judge for those that are missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, get_args

from packkit.base.errors import FormatError
from packkit.infimed.chat import (
    NOTHING,
    AnswerLog,
    ChatModel,
    Limits,
    RetryPolicy,
    Spending,
    State,
    Task,
    TaskResult,
    TasksProgress,
    TasksReport,
    estimate_text_tokens,
    run_tasks,
)
from packkit.infimed.evaluation.judge_prompt import (
    JUDGE_PROMPT_VERSION,
    JUDGEMENT_SCHEMA,
    Judgement,
    judge_messages,
    judgement_hash,
    read_judgement,
)
from packkit.infimed.evaluation.questions import Question

OnJudgement = Callable[[TasksProgress, int], None]
"""Takes the progress of a judge, and the number of requests in all."""

_IDENTITY = ("request",)


class JudgeRequest(NamedTuple):
    """What a judge is asked: whether an answer to a question is right.

    Attributes:
        question: Question of a benchmark.
        answer: What the model's reply was taken to say.
    """

    question: Question
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgementRecord:
    """One line of judgements.jsonl: what came of asking a judge about one answer.

    Attributes:
        request: `judgement_hash` of what was asked, 64 hexadecimal digits.
        model: Name of the judge.
        prompt_version: Version of the wording in which the judge was asked.
        state: Whether there is a judgement, ``ok``, or why there is none.
        is_right: Whether the judge takes the answer to be right; None unless ok.
        reason: Reason that the judge gave; else empty.
        reply: Reply of the judge, where it could not be read; else empty.
        error: Description of what went wrong; empty if ok.
        attempts: Requests sent, in all runs.
        prompt_tokens: Tokens of the prompts of all attempts, as the server counted them.
        completion_tokens: Tokens of the replies to all attempts.
    """

    request: str
    model: str
    prompt_version: str
    state: State
    is_right: bool | None
    reason: str
    reply: str
    error: str
    attempts: int
    prompt_tokens: int
    completion_tokens: int

    def __post_init__(self) -> None:
        if self.state not in get_args(State):
            raise ValueError(f"state must be one of {', '.join(get_args(State))}")
        if (self.state == "ok") != isinstance(self.is_right, bool):
            raise ValueError(f"is_right must be true or false if ok alone, got {self.is_right!r}")

    @property
    def spent(self) -> Spending:
        """Requests and tokens of all attempts."""
        return Spending(self.attempts, self.prompt_tokens, self.completion_tokens)


class Judgements:
    """The file of judgements, open for appending; only one process may have it open.

    Args:
        path: File of judgements; made where it is missing.
        model: Name of the judge that is asked.

    Raises:
        LockedError: Another process has the file open.
        FormatError: A line of the file is no judgement.
    """

    def __init__(self, path: Path, model: str) -> None:
        self._log, self._model = AnswerLog(path, _IDENTITY), model
        try:
            records = map(self._record_of, self._log.records.values())
            self._records = {record.request: record for record in records}
        except BaseException:
            self._log.close()
            raise
        self._earlier = dict(self._records)

    def get(self, request: JudgeRequest) -> JudgementRecord | None:
        """Returns what came of a request; None where the judge was not asked yet."""
        return self._records.get(judgement_hash(*request, self._model))

    def unasked(self, requests: Iterable[JudgeRequest]) -> list[JudgeRequest]:
        """Returns the requests that the judge was not asked yet."""
        return [request for request in requests if self.get(request) is None]

    def failed(self, requests: Iterable[JudgeRequest]) -> list[JudgeRequest]:
        """Returns the requests that the judge was asked, and that have no judgement."""
        records = ((request, self.get(request)) for request in requests)
        return [
            request for request, record in records if record is not None and record.state != "ok"
        ]

    def ask(
        self,
        judge: ChatModel,
        requests: Iterable[JudgeRequest],
        *,
        concurrency: int,
        limits: Limits,
        policy: RetryPolicy,
        on_progress: OnJudgement | None,
    ) -> TasksReport:
        """Asks for judgements, and writes each to the file before its request is tried again.

        Args:
            judge: Model to ask.
            requests: What to ask; equal requests are sent once.
            concurrency: Requests on their way at the same time.
            limits: How much may be spent, by all runs into this file.
            policy: How often a request is tried.
            on_progress: Called whenever a request has its outcome.

        Raises:
            AccessError: The judge answers no request at all.
        """
        by_hash = {judgement_hash(*request, self._model): request for request in requests}
        return run_tasks(
            judge,
            [_task(key, request) for key, request in by_hash.items()],
            schema=JUDGEMENT_SCHEMA,
            read=lambda task, reply: read_judgement(reply),
            record=self._record,
            concurrency=concurrency,
            limits=limits,
            spent=self.spent,
            policy=policy,
            on_progress=on_progress and (lambda run: on_progress(run, len(by_hash))),
        )

    @property
    def spent(self) -> Spending:
        """Requests and tokens of all judgements in the file."""
        return sum((record.spent for record in self._records.values()), NOTHING)

    def close(self) -> None:
        """Closes the file, and lets others write to it."""
        self._log.close()

    def __enter__(self) -> Judgements:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _record(self, task: Task, outcome: TaskResult[Judgement]) -> None:
        earlier, judgement = self._earlier.get(task.request), outcome.value
        spent = outcome.spent if earlier is None else earlier.spent + outcome.spent
        record = JudgementRecord(
            request=task.request,
            model=self._model,
            prompt_version=JUDGE_PROMPT_VERSION,
            state=outcome.state,
            is_right=None if judgement is None else judgement.is_right,
            reason="" if judgement is None else judgement.reason,
            reply=outcome.reply,
            error=outcome.error,
            attempts=spent.attempts,
            prompt_tokens=spent.prompt_tokens,
            completion_tokens=spent.completion_tokens,
        )
        self._log.append(asdict(record))
        self._records[record.request] = record

    def _record_of(self, line: Mapping[str, Any]) -> JudgementRecord:
        try:
            return JudgementRecord(**line)
        except (TypeError, ValueError) as error:
            raise FormatError(self._log.path, f"no line of a judgement: {error}") from None


def _task(key: str, request: JudgeRequest) -> Task:
    messages = judge_messages(*request)
    tokens = sum(estimate_text_tokens(message["content"]) for message in messages)
    return Task(key, lambda: messages, tokens)
