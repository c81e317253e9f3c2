"""Engines that run tasks.

A job is a list of pure, restartable tasks; an engine only schedules them. Data never passes
through it: a task reads its input from files and writes its output to files.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

from packkit.base.values import check_whole

LARGEST_WORKERS = 1024
"""Threads that a run may have at most: more than one machine has processors, and all can start."""

Progress = Callable[[str, int, int], None]
"""Is called with the progress of a job: the phase, its tasks done, its tasks in all."""

T = TypeVar("T")
R = TypeVar("R")


class Engine(Protocol):
    """Runs one function over many tasks."""

    def run(self, function: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """Yields the results in the order of the tasks; the first error ends the run."""


class LocalEngine:
    """Threads in this process, for tasks that release the interpreter's lock.

    Args:
        workers: Number of tasks that run at the same time.

    Raises:
        InputError: `workers` is not in 1..`LARGEST_WORKERS`.

    >>> list(LocalEngine(workers=2).run(abs, [-1, 2, -3]))
    [1, 2, 3]
    """

    def __init__(self, workers: int) -> None:
        check_whole("workers", workers, 1, LARGEST_WORKERS)
        self._workers = workers

    def run(self, function: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """Yields the results in the order of the tasks; the first error ends the run."""
        pending: deque[Future[R]] = deque()
        with ThreadPoolExecutor(self._workers, thread_name_prefix="packkit") as threads:
            try:
                for task in tasks:
                    pending.append(threads.submit(function, task))
                    # At most one task waits for each that runs, so that results do not pile up.
                    if len(pending) > 2 * self._workers:
                        yield pending.popleft().result()
                while pending:
                    yield pending.popleft().result()
            finally:
                threads.shutdown(wait=True, cancel_futures=True)


def usable_cpus() -> int:
    """Returns the number of processors that this process may use, `LARGEST_WORKERS` at most."""
    return min(len(os.sched_getaffinity(0)), LARGEST_WORKERS)
