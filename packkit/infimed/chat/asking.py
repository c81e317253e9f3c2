"""One task from its first request to its result."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, Literal, Protocol, TypeVar

from packkit.base.values import check_number, check_whole
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
    UnreachableError,
)
from packkit.infimed.chat.gate import Gate
from packkit.infimed.chat.spending import NOTHING, Spending

T = TypeVar("T")

_SHOWN_CHARACTERS = 200

State = Literal["ok", "parse_error", "refused", "http_error"]


class UnreadableError(ValueError):
    """A reply does not hold what was asked for; asking again may help."""


class RefusedError(ValueError):
    """A reply says that the model will not answer."""


LARGEST_ATTEMPTS = 1000
"""Times that a task is tried at most: the wait doubles, and a float holds no more doublings."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a task is tried, and how long the wait in between is.

    Attributes:
        attempts: Failed requests after which a task is given up: lost connections, time-outs, 429,
            5xx.
        unreadable: Unreadable replies after which a task is given up.
        base: Longest wait after the first failure, seconds, doubled with each further one; a random
            share of up to one half is taken off.
        longest: Longest wait of all, seconds; where a server asks for more, the task is given up.

    Raises:
        InputError: A count is not in 1..`LARGEST_ATTEMPTS`, or a wait is negative or not finite.
    """

    attempts: int = 6
    unreadable: int = 3
    base: float = 0.5
    longest: float = 120.0

    def __post_init__(self) -> None:
        check_whole("attempts", self.attempts, 1, LARGEST_ATTEMPTS)
        check_whole("unreadable", self.unreadable, 1, LARGEST_ATTEMPTS)
        check_number("base", self.base, 0)
        check_number("longest", self.longest, 0)

    def wait(self, failures: int, asked: float | None) -> float | None:
        """Returns how long to wait after a failure, seconds; None where that is too long.

        Args:
            failures: Number of failed requests of the task so far, at least 1.
            asked: Seconds that the server asks to wait; None where it does not say.
        """
        if asked is not None and asked > self.longest:
            return None
        backoff = min(self.longest, self.base * 2 ** (failures - 1)) * random.uniform(0.5, 1.0)
        # Tasks that were told the same time must not come back all at once.
        return backoff if asked is None else asked + random.uniform(0.0, self.base)


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to ask.

    Attributes:
        request: Key of the task, unlike that of any other task of the run.
        messages: Function that makes the conversation; called in another thread, when the turn of
            the task has come.
        prompt_tokens: Estimated tokens of the conversation.
    """

    request: str
    messages: Callable[[], Messages]
    prompt_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult(Generic[T]):
    """What came of a task so far.

    Attributes:
        state: ``ok``, or why there is no value.
        value: What the reply says; None unless ok.
        reply: Text of the last reply, where it could not be read; else empty.
        error: What went wrong; empty if ok.
        spent: What all requests of the task in this run came to.
    """

    state: State
    value: T | None = None
    reply: str = ""
    error: str = ""
    spent: Spending = NOTHING


class FailedTask(Protocol):
    """What is kept of a task without a value."""

    @property
    def state(self) -> State:
        """Why there is no value."""

    @property
    def error(self) -> str:
        """What went wrong."""

    @property
    def reply(self) -> str:
        """Text of the last reply, where it could not be read; else empty."""


def failed_reply(task: FailedTask) -> str:
    """Describes what came of a task without a value, in one line: how a reply begins, if any."""
    said = " ".join(task.reply.split())[:_SHOWN_CHARACTERS]
    return f"{task.state}: {task.error}" + (f"; the reply begins: {said}" if said else "")


ReadReply = Callable[[Task, Reply], T]
"""Turns a reply into a value, or raises `UnreadableError` or `RefusedError`."""

RecordResult = Callable[[Task, TaskResult[T]], None]
"""Keeps what came of a task so far; called after every request, so that a kill loses no reply."""


class _Patience:
    """How often one task has failed, and how long it waits each time."""

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
    """Asks a model about tasks, one at a time.

    Attributes:
        model: Model that is asked; it has been entered.
        schema: JSON schema of the object that replies are to hold; None for free text.
        read: Function that turns a reply into a value.
        record: Function that keeps what came of a task so far.
        gate: Gate that admits requests within the limits.
        is_metered: Whether every reply must say how many tokens it took.
        policy: How often a task is tried.
    """

    model: ChatModel
    schema: Schema | None
    read: ReadReply[T]
    record: RecordResult[T]
    gate: Gate
    is_metered: bool
    policy: RetryPolicy

    async def ask(self, task: Task) -> TaskResult[T] | None:
        """Asks until there is a value, or nothing more to try.

        Returns:
            The result; None where not one request was admitted.

        Raises:
            AccessError: No request will be answered.
        """
        messages = await asyncio.to_thread(task.messages)
        patience, result = _Patience(self.policy), None
        while await self.gate.admit(task.prompt_tokens, self.model.max_tokens):
            spent = NOTHING if result is None else result.spent
            latest, error = await self._attempt(task, messages)
            result = replace(latest, spent=spent + latest.spent)
            is_first = not self.gate.replies
            # Nothing was answered, and no request will be: that is said of no task.
            if is_first and isinstance(error, AccessError | UnreachableError):
                raise AccessError(str(error))
            self.record(task, result)
            if isinstance(error, AccessError):
                raise error
            wait = patience.wait_after(error)
            if wait is None and isinstance(error, RetryableError) and is_first:
                raise AccessError(f"nothing is answered so far: {error}")
            if wait is None or not await self.gate.pause(wait):
                break
        return result

    async def _attempt(
        self, task: Task, messages: Messages
    ) -> tuple[TaskResult[T], ChatError | UnreadableError | None]:
        """Sends one request; returns what came of it alone, and what went wrong."""
        reply = failure = None
        try:
            reply = await self.model.complete(messages, self.schema)
        except ChatError as error:
            failure = error
        finally:
            spent = self.gate.settle(task.prompt_tokens, self.model.max_tokens, reply)
        if reply is None:
            state: State = "refused" if isinstance(failure, FilteredError) else "http_error"
            return TaskResult(state=state, error=str(failure), spent=spent), failure
        return self._result(task, reply, spent)

    def _result(
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
