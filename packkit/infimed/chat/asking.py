"""One task from its first request to its outcome."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, Literal, TypeVar

from packkit.base.errors import InputError
from packkit.infimed.chat.chat_model import (
    AccessError,
    AdaptedError,
    ChatError,
    ChatModel,
    FilteredError,
    Messages,
    Reply,
    RetryableError,
    Schema,
)
from packkit.infimed.chat.gate import Gate
from packkit.infimed.chat.spending import NOTHING, Spending

T = TypeVar("T")

State = Literal["ok", "parse_error", "refused", "http_error"]


class UnreadableError(ValueError):
    """A reply does not hold what was asked for; asking again may help."""


class RefusedError(ValueError):
    """A reply says that the judge will not answer."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a task is tried, and how long is waited in between.

    Attributes:
        attempts: Requests that may fail in a task: lost connections, time-outs, 429, 5xx.
        unreadable: Replies that may be unreadable in a task.
        base: Seconds waited after the first failure, doubled with each; half of it is random.
        longest: Seconds waited at most. A server that asks for more is not waited for.

    Raises:
        InputError: A number makes no sense.
    """

    attempts: int = 6
    unreadable: int = 3
    base: float = 0.5
    longest: float = 120.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.unreadable < 1 or self.base < 0 or self.longest < 0:
            raise InputError(f"attempts must be at least 1 and waits at least 0 s, got {self}")

    def wait(self, failures: int, asked: float | None) -> float | None:
        """Returns how long to wait after a failure, seconds; None where that is too long.

        Args:
            failures: Of this task so far, at least 1.
            asked: Seconds that the server asks for, if it does.
        """
        if asked is not None and asked > self.longest:
            return None
        own = min(self.longest, self.base * 2 ** (failures - 1)) * random.uniform(0.5, 1.0)
        # Whoever was told the same time must not come back all at once.
        return own if asked is None else asked + random.uniform(0.0, self.base)


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to ask.

    Attributes:
        request: What tells it from other tasks.
        messages: Makes the conversation, in another thread, when its turn comes.
        prompt_tokens: That it is estimated to have.
    """

    request: str
    messages: Callable[[], Messages]
    prompt_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult(Generic[T]):
    """What came of a task so far.

    Attributes:
        state: ``ok``, or why there is no value.
        value: What was read from the reply, if ok.
        reply: What the judge wrote, where it could not be read; else empty.
        error: What went wrong; empty if ok.
        spent: By all requests of the task in this run.
    """

    state: State
    value: T | None = None
    reply: str = ""
    error: str = ""
    spent: Spending = NOTHING


ReadReply = Callable[[Task, Reply], T]
"""Makes of a reply what it says, or raises `UnreadableError` or `RefusedError`."""

KeepResult = Callable[[Task, TaskResult[T]], None]
"""Keeps what came of a task so far; called after every request, so that a kill loses no answer."""


class _Patience:
    """How long one task waits after each of its failures."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._failures = self._unreadable = 0

    def wait_after(self, error: Exception | None) -> float | None:
        """Returns seconds to wait before the next request; None where there is to be none."""
        match error:
            case AdaptedError():
                return 0.0
            case RetryableError():
                self._failures += 1
                if self._failures < self._policy.attempts:
                    return self._policy.wait(self._failures, error.retry_after)
            case UnreadableError():
                self._unreadable += 1
                if self._unreadable < self._policy.unreadable:
                    return 0.0
        return None


@dataclass(frozen=True, slots=True)
class Asker(Generic[T]):
    """Asks a judge for the outcome of tasks.

    Attributes:
        judge: Whom to ask; it has been entered.
        schema: Of the object that replies are to hold; None: they are free text.
        read: Makes of a reply what it says.
        record: Keeps what came of a task so far.
        gate: Lets requests out.
        is_metered: Whether every reply must say how many tokens it took.
        policy: How often a task is tried.
    """

    judge: ChatModel
    schema: Schema | None
    read: ReadReply[T]
    record: KeepResult[T]
    gate: Gate
    is_metered: bool
    policy: RetryPolicy

    async def ask(self, task: Task) -> TaskResult[T] | None:
        """Asks until there is an outcome.

        Returns:
            The outcome; None where not one request was let out.

        Raises:
            AccessError: No request will be answered.
        """
        messages = await asyncio.to_thread(task.messages)
        patience, outcome = _Patience(self.policy), None
        while await self.gate.pass_out(task.prompt_tokens, self.judge.max_tokens):
            spent = NOTHING if outcome is None else outcome.spent
            fresh, error = await self._attempt(task, messages)
            outcome = replace(fresh, spent=spent + fresh.spent)
            self.record(task, outcome)
            if isinstance(error, AccessError):
                raise error
            wait = patience.wait_after(error)
            if wait is None and isinstance(error, RetryableError) and not self.gate.replies:
                raise AccessError(f"nothing is answered so far: {error}")
            if wait is None or not await self.gate.pause(wait):
                break
        return outcome

    async def _attempt(
        self, task: Task, messages: Messages
    ) -> tuple[TaskResult[T], ChatError | UnreadableError | None]:
        """Sends one request; returns what came of it alone, and what went wrong."""
        reply = failure = None
        try:
            reply = await self.judge.complete(messages, self.schema)
        except ChatError as error:
            failure = error
        finally:
            spent = self.gate.come_back(task.prompt_tokens, self.judge.max_tokens, reply)
        if reply is None:
            state: State = "refused" if isinstance(failure, FilteredError) else "http_error"
            return TaskResult(state=state, error=str(failure), spent=spent), failure
        return self._outcome(task, reply, spent)

    def _outcome(
        self, task: Task, reply: Reply, spent: Spending
    ) -> tuple[TaskResult[T], ChatError | UnreadableError | None]:
        if self.is_metered and (reply.prompt_tokens is None or reply.completion_tokens is None):
            message = "the server does not say how many tokens it used: max_cost cannot be kept"
            return TaskResult(state="http_error", error=message, spent=spent), AccessError(message)
        text = reply.refusal or reply.text
        try:
            return TaskResult(state="ok", value=self.read(task, reply), spent=spent), None
        except RefusedError as error:
            return TaskResult(state="refused", reply=text, error=str(error), spent=spent), None
        except UnreadableError as error:
            return TaskResult(state="parse_error", reply=text, error=str(error), spent=spent), error
