"""Many tasks, some at a time, until all have a result or something ends the run."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from packkit.base.values import check_whole
from packkit.infimed.chat.asking import Asker, ReadReply, RecordResult, RetryPolicy, State, Task
from packkit.infimed.chat.chat_model import ChatModel, Schema
from packkit.infimed.chat.gate import Gate, LimitName
from packkit.infimed.chat.spending import NOTHING, Limits, Spending

T = TypeVar("T")

LARGEST_CONCURRENCY = 4096
"""Requests at the same time at most: each holds a connection, and so an open file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksProgress:
    """How far a run of tasks is.

    Attributes:
        states: Number of finished tasks in each state.
        spent: What the requests of this run came to so far.
        in_flight: Requests that were sent and have no reply yet.
        is_stopping: Whether nothing more is sent and the run only waits for those replies.
    """

    states: dict[State, int]
    spent: Spending
    in_flight: int
    is_stopping: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksReport:
    """What a run of tasks came to.

    Attributes:
        states: Number of finished tasks in each state.
        spent: What the requests of this run came to.
        reached: Limit that kept back a request of some task; None where none did.
        unmetered: Replies for which the server did not say how many tokens they took.
    """

    states: dict[State, int] = field(default_factory=dict)
    spent: Spending = NOTHING
    reached: LimitName | None = None
    unmetered: int = 0


def run_tasks(
    model: ChatModel,
    tasks: Iterable[Task],
    *,
    schema: Schema | None,
    read: ReadReply[T],
    record: RecordResult[T],
    concurrency: int = 8,
    limits: Limits = Limits(),  # noqa: B008
    spent: Spending = NOTHING,
    policy: RetryPolicy = RetryPolicy(),  # noqa: B008
    on_progress: Callable[[TasksProgress], None] | None = None,
) -> TasksReport:
    """Asks a model about every task.

    A first Ctrl-C sends nothing more and waits for the replies to requests in flight, a second one
    abandons them; both end in KeyboardInterrupt.

    Args:
        model: Model that is asked; it is entered and left.
        tasks: The tasks; no two have the same key.
        schema: JSON schema of the object that replies are to hold; None for free text.
        read: Function that turns a reply into a value.
        record: Function that keeps what came of a task so far; called after each of its requests.
        concurrency: Tasks that are worked on at the same time.
        limits: How much may be spent, by earlier runs and this one together.
        spent: What earlier runs spent.
        policy: How often a task is tried.
        on_progress: Function that is called whenever a task is finished, and on Ctrl-C.

    Raises:
        AccessError: No request will be answered; what came before is recorded.
        InputError: `concurrency` is not in 1..`LARGEST_CONCURRENCY`.
    """
    check_whole("concurrency", concurrency, 1, LARGEST_CONCURRENCY)

    async def start() -> TasksReport:
        gate = Gate(limits, spent)
        is_metered = limits.max_cost is not None
        run = _Run(Asker(model, schema, read, record, gate, is_metered, policy), tasks, on_progress)
        async with model:
            await run.work(concurrency)
        return TasksReport(
            states=run.states, spent=gate.spent, reached=gate.reached, unmetered=gate.unmetered
        )

    try:
        return asyncio.run(start())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


class _Run(Generic[T]):
    """The workers of one run, and the states in which its tasks ended."""

    def __init__(
        self,
        asker: Asker[T],
        tasks: Iterable[Task],
        on_progress: Callable[[TasksProgress], None] | None,
    ) -> None:
        self._asker, self._gate = asker, asker.gate
        self._tasks = iter(tasks)
        self._on_progress = on_progress
        self._is_interrupted = False
        self.states: dict[State, int] = {}

    async def work(self, concurrency: int) -> None:
        """Runs until no task is left, the gate is closed, or an error ends it."""
        with self._stopped_by_ctrl_c():
            workers = [self._worker() for _ in range(concurrency)]
            ends = await asyncio.gather(*workers, return_exceptions=True)
        # Other workers may have failed for the same reason: one of them says it.
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        if self._is_interrupted:
            raise asyncio.CancelledError

    async def _worker(self) -> None:
        try:
            # All workers share one iterator: a free worker takes the next task.
            for task in self._tasks:
                result = None if self._gate.is_closed else await self._asker.ask(task)
                if result is None:
                    return
                self.states[result.state] = self.states.get(result.state, 0) + 1
                self._show()
        except BaseException:
            # Requests in flight of other workers are paid for: their replies are waited for.
            self._gate.close()
            raise

    def _show(self) -> None:
        if self._on_progress is not None:
            progress = TasksProgress(
                states=dict(self.states),
                spent=self._gate.spent,
                in_flight=self._gate.in_flight,
                is_stopping=self._gate.is_closed,
            )
            self._on_progress(progress)

    @contextmanager
    def _stopped_by_ctrl_c(self) -> Iterator[None]:
        """Makes a first Ctrl-C close the gate, and a second one cancel the run."""
        # Python handles signals in the main thread alone.
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def stop() -> None:
            if self._is_interrupted and task is not None:
                task.cancel()
            self._is_interrupted = True
            self._gate.close()
            self._show()

        loop.add_signal_handler(signal.SIGINT, stop)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGINT)
