"""Many tasks, some at a time, until all have an outcome or something ends the run."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from packkit.base.errors import InputError
from packkit.infimed.chat.asking import Asker, KeepResult, ReadReply, RetryPolicy, State, Task
from packkit.infimed.chat.chat_model import ChatModel, Schema
from packkit.infimed.chat.gate import Gate, Limit
from packkit.infimed.chat.spending import NOTHING, Limits, Spending

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """How far a run is.

    Attributes:
        states: How many tasks ended in which state.
        spent: By this run.
        out: Requests on their way.
        is_stopping: Whether it only waits for those.
    """

    states: dict[State, int]
    spent: Spending
    out: int
    is_stopping: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksReport:
    """What a run came to.

    Attributes:
        states: How many tasks ended in which state.
        spent: By this run.
        reached: The limit that left tasks without a request, or without another one, if one did.
        unmetered: Replies for which the server did not say how many tokens they took.
    """

    states: dict[State, int] = field(default_factory=dict)
    spent: Spending = NOTHING
    reached: Limit | None = None
    unmetered: int = 0


def run_tasks(
    judge: ChatModel,
    tasks: Iterable[Task],
    *,
    schema: Schema | None,
    read: ReadReply[T],
    record: KeepResult[T],
    concurrency: int = 8,
    limits: Limits = Limits(),  # noqa: B008
    spent: Spending = NOTHING,
    policy: RetryPolicy = RetryPolicy(),  # noqa: B008
    on_progress: Callable[[RunProgress], None] | None = None,
) -> TasksReport:
    """Asks a judge for the outcome of every task.

    A first Ctrl-C lets nothing more out and waits for the replies that are on their way, a second
    one abandons them; both end in KeyboardInterrupt.

    Args:
        judge: Whom to ask; it is entered and left.
        tasks: Each request once.
        schema: Of the object that replies are to hold; None: they are free text.
        read: Makes of a reply what it says.
        record: Keeps what came of a task so far; called after each of its requests.
        concurrency: Tasks asked at the same time.
        limits: How much may be spent.
        spent: What earlier runs spent of it.
        policy: How often a task is tried.
        on_progress: Called whenever a task has its outcome.

    Raises:
        AccessError: No request will be answered; what came before is recorded.
        InputError: `concurrency` is under 1.
    """
    if concurrency < 1:
        raise InputError(f"concurrency must be at least 1, got {concurrency}")

    async def start() -> TasksReport:
        gate = Gate(limits, spent)
        is_metered = limits.max_cost is not None
        run = _Run(Asker(judge, schema, read, record, gate, is_metered, policy), tasks, on_progress)
        async with judge:
            await run.work(concurrency)
        return TasksReport(
            states=run.states, spent=gate.spent, reached=gate.reached, unmetered=gate.unmetered
        )

    try:
        return asyncio.run(start())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


class _Run(Generic[T]):
    """The workers of one run, and what they came to."""

    def __init__(
        self,
        asker: Asker[T],
        tasks: Iterable[Task],
        on_progress: Callable[[RunProgress], None] | None,
    ) -> None:
        self._asker, self._gate = asker, asker.gate
        self._tasks = iter(tasks)
        self._on_progress = on_progress
        self._is_interrupted = False
        self.states: dict[State, int] = {}

    async def work(self, concurrency: int) -> None:
        """Runs until no task is left, the gate lets nothing more out, or an error ends it."""
        with self._stopped_by_ctrl_c():
            workers = [self._worker() for _ in range(concurrency)]
            ends = await asyncio.gather(*workers, return_exceptions=True)
        # Others may have failed for the same reason: the first says it.
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        if self._is_interrupted:
            raise asyncio.CancelledError

    async def _worker(self) -> None:
        try:
            # One iterator for all workers: whoever is free takes the next task.
            for task in self._tasks:
                outcome = None if self._gate.is_closed else await self._asker.ask(task)
                if outcome is None:
                    return
                self.states[outcome.state] = self.states.get(outcome.state, 0) + 1
                self._show()
        except BaseException:
            # Replies that are on their way to other workers are paid for: they are waited for.
            self._gate.close()
            raise

    def _show(self) -> None:
        if self._on_progress is not None:
            progress = RunProgress(
                states=dict(self.states),
                spent=self._gate.spent,
                out=self._gate.out,
                is_stopping=self._gate.is_closed,
            )
            self._on_progress(progress)

    @contextmanager
    def _stopped_by_ctrl_c(self) -> Iterator[None]:
        """Has Ctrl-C close the gate, and a second one cancel the run."""
        # Python gives signals to the main thread alone.
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
