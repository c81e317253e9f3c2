import os
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit.base.engine import LocalEngine, usable_cpus
from packkit.base.errors import InputError


def running_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("packkit")]


@given(st.lists(st.integers(0, 5), max_size=20), st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_results_come_in_the_order_of_the_tasks(delays, workers):
    def task(numbered):
        number, delay = numbered
        time.sleep(delay / 5000)
        return number

    results = LocalEngine(workers).run(task, enumerate(delays))
    assert list(results) == list(range(len(delays)))


def test_as_many_tasks_run_at_once_as_there_are_workers():
    together = threading.Barrier(3)

    def task(_):
        # Passes only while two others wait here.
        return together.wait(timeout=10)

    assert sorted(LocalEngine(3).run(task, range(3))) == [0, 1, 2]


def test_never_more_tasks_at_once_than_workers():
    running, most, lock = 0, 0, threading.Lock()

    def task(_):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.002)
        with lock:
            running -= 1

    list(LocalEngine(2).run(task, range(20)))
    assert most == 2


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_tasks_are_taken_and_results_kept_in_bounded_number(workers):
    taken = 0

    def tasks():
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield number

    for done, number in enumerate(LocalEngine(workers).run(abs, tasks())):
        assert number == done
        assert taken - done <= 2 * workers + 1


def test_the_first_error_in_the_order_of_tasks_ends_the_run():
    started = []

    def task(number):
        started.append(number)
        if number >= 5:
            raise ValueError(f"task {number}")
        return number

    results = LocalEngine(1).run(task, range(1000))
    seen = []
    with pytest.raises(ValueError, match="task 5"):
        seen.extend(results)
    assert len(started) < 20
    assert running_threads() == []


def test_an_error_in_the_list_of_tasks_ends_the_run():
    def tasks():
        yield 1
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        list(LocalEngine(2).run(abs, tasks()))


def test_a_run_that_is_left_early_leaves_no_thread_behind():
    done = []

    def task(number):
        time.sleep(0.01)
        done.append(number)
        return number

    results = LocalEngine(2).run(task, range(100))
    assert next(results) == 0
    results.close()
    assert running_threads() == []
    finished = len(done)
    assert finished < 10
    time.sleep(0.03)
    assert len(done) == finished


def test_no_task_runs_before_the_first_result_is_asked_for():
    started = []
    LocalEngine(2).run(started.append, range(5))
    assert started == []


@pytest.mark.parametrize("workers", [0, -1])
def test_workers_must_be_positive(workers):
    with pytest.raises(InputError, match=f"workers must be at least 1, got {workers}"):
        LocalEngine(workers)


def test_usable_cpus_follows_the_affinity_of_the_process():
    allowed = os.sched_getaffinity(0)
    assert usable_cpus() == len(allowed)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert usable_cpus() == 1
    finally:
        os.sched_setaffinity(0, allowed)
