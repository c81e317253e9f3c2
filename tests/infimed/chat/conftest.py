"""Runs of tasks against a server whose answers are scripted."""

import pytest

from packkit.infimed.chat import (
    OpenAIChat,
    RefusedError,
    RetryPolicy,
    Task,
    UnreadableError,
    find_json,
    run_tasks,
)


def read_number(task, reply):
    """Reads ``{"n": number}``."""
    if reply.refusal is not None:
        raise RefusedError("no")
    found = find_json(reply.text, lambda value: isinstance(value.get("n"), int))
    if found is None:
        raise UnreadableError("no number")
    return found["n"]


@pytest.fixture
def ask():
    """Asks a server about numbered tasks; returns the report and every outcome, as recorded."""

    def run(server, tasks=10, *, judge=None, policy=None, record=None, **options):
        recorded = []
        report = run_tasks(
            judge or OpenAIChat("m", base_url=server.url, api_key="k", max_tokens=50),
            [
                Task(str(number), lambda number=number: messages(number), 100)
                for number in range(tasks)
            ],
            schema={"type": "object"},
            read=read_number,
            record=record or (lambda task, outcome: recorded.append((int(task.request), outcome))),
            policy=policy or RetryPolicy(attempts=4, unreadable=3, base=0.01, longest=2.0),
            **options,
        )
        return report, recorded

    return run


def messages(number):
    return [{"role": "user", "content": f"task {number};"}]
