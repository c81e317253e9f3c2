"""What judges said of answers, kept line by line, and asking for what is not there yet."""

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
    VERDICT_SCHEMA,
    Judgement,
    judge_messages,
    judgement_hash,
    read_judgement,
)
from packkit.infimed.evaluation.questions import Question

OnJudgement = Callable[[TasksProgress, int], None]
"""Is told how far a judge has come, and how many requests there are in all."""

_IDENTITY = ("request",)


class ToJudge(NamedTuple):
    """An answer that a judge is to decide on.

    Attributes:
        question: That was asked.
        answer: What the reply was taken to say.
    """

    question: Question
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenJudgement:
    """What came of asking a judge about one answer, as one line of the file.

    Attributes:
        request: `judgement_hash` of what was asked.
        model: The judge.
        prompt_version: Of what it was asked.
        state: ``ok``, or why there is no verdict.
        is_right: Its verdict; None unless ok.
        reason: What it gave as its reason.
        reply: What it wrote, where that could not be read; else empty.
        error: What went wrong; empty if ok.
        attempts: Requests sent, in all runs.
        prompt_tokens: Of all attempts, as the server counted.
        completion_tokens: Of all attempts.
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
        """What all attempts came to."""
        return Spending(self.attempts, self.prompt_tokens, self.completion_tokens)


class Judgements:
    """The file of judgements, open for more; at most one process has it open.

    Args:
        path: The file; made where it is missing.
        model: The judge that is asked.

    Raises:
        LockedError: Another process has it open.
        FormatError: It holds something else.
    """

    def __init__(self, path: Path, model: str) -> None:
        self._log, self._model = AnswerLog(path, _IDENTITY), model
        try:
            self._given = {one.request: one for one in map(self._line, self._log.records.values())}
        except BaseException:
            self._log.close()
            raise
        self._before = dict(self._given)

    def of(self, item: ToJudge) -> GivenJudgement | None:
        """Returns what the judge said of an answer; None where it was not asked yet."""
        return self._given.get(judgement_hash(*item, self._model))

    def unasked(self, items: Iterable[ToJudge]) -> list[ToJudge]:
        """Returns those that nothing has come of yet."""
        return [item for item in items if self.of(item) is None]

    def failed(self, items: Iterable[ToJudge]) -> list[ToJudge]:
        """Returns those that were asked about, and have no verdict."""
        given = ((item, self.of(item)) for item in items)
        return [item for item, one in given if one is not None and one.state != "ok"]

    def ask(
        self,
        judge: ChatModel,
        items: Iterable[ToJudge],
        *,
        concurrency: int,
        limits: Limits,
        policy: RetryPolicy,
        on_progress: OnJudgement | None,
    ) -> TasksReport:
        """Asks for verdicts; each is in the file before the next request of its task is sent.

        Args:
            judge: Whom to ask.
            items: About what; equal ones are asked about once.
            concurrency: Requests on their way at the same time.
            limits: How much may be spent, by all runs into this file.
            policy: How often a request is tried.
            on_progress: Called whenever a request has its outcome.

        Raises:
            AccessError: The judge answers no request at all.
        """
        requests = {judgement_hash(*item, self._model): item for item in items}
        return run_tasks(
            judge,
            [_task(request, item) for request, item in requests.items()],
            schema=VERDICT_SCHEMA,
            read=lambda task, reply: read_judgement(reply),
            record=self._record,
            concurrency=concurrency,
            limits=limits,
            spent=self.spent,
            policy=policy,
            on_progress=on_progress and (lambda run: on_progress(run, len(requests))),
        )

    @property
    def spent(self) -> Spending:
        """What all requests in the file came to."""
        return sum((one.spent for one in self._given.values()), NOTHING)

    def close(self) -> None:
        """Closes the file, and lets others write to it."""
        self._log.close()

    def __enter__(self) -> Judgements:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _record(self, task: Task, outcome: TaskResult[Judgement]) -> None:
        before, said = self._before.get(task.request), outcome.value
        spent = outcome.spent if before is None else before.spent + outcome.spent
        given = GivenJudgement(
            request=task.request,
            model=self._model,
            prompt_version=JUDGE_PROMPT_VERSION,
            state=outcome.state,
            is_right=None if said is None else said.is_right,
            reason="" if said is None else said.reason,
            reply=outcome.reply,
            error=outcome.error,
            attempts=spent.attempts,
            prompt_tokens=spent.prompt_tokens,
            completion_tokens=spent.completion_tokens,
        )
        self._log.append(asdict(given))
        self._given[given.request] = given

    def _line(self, record: Mapping[str, Any]) -> GivenJudgement:
        try:
            return GivenJudgement(**record)
        except (TypeError, ValueError) as error:
            raise FormatError(self._log.path, f"no line of a judgement: {error}") from None


def _task(request: str, item: ToJudge) -> Task:
    messages = judge_messages(*item)
    tokens = sum(estimate_text_tokens(message["content"]) for message in messages)
    return Task(request, lambda: messages, tokens)
