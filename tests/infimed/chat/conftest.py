"""Runs of tasks against a server whose answers are scripted."""

import pytest
from numbered_tasks import numbered_tasks, read_number

from packkit.infimed.chat import OpenAIChat, RetryPolicy, run_tasks


@pytest.fixture
def ask():
    """Asks a server about numbered tasks; returns the report and every result, as recorded."""

    def run(server, tasks=10, *, model=None, policy=None, record=None, **options):
        recorded = []
        report = run_tasks(
            model or OpenAIChat("m", base_url=server.url, api_key="k", max_tokens=50),
            numbered_tasks(tasks),
            schema={"type": "object"},
            read=read_number,
            record=record or (lambda task, result: recorded.append((int(task.request), result))),
            policy=policy or RetryPolicy(attempts=4, unreadable=3, base=0.01, longest=2.0),
            **options,
        )
        return report, recorded

    return run
