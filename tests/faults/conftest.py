"""The server, the jobs, and where the long run puts its figures."""

import json
import os
import time
from pathlib import Path

import pytest
from fork_server import ForkServer
from jobs import Workshop

# A line of JSON for each check, from which the table in docs/reliability.md is made.
FIGURES = Path(os.environ.get("PACKKIT_FAULT_FIGURES", "build/faults.jsonl"))


@pytest.fixture(scope="session")
def server():
    """A server with everything loaded that packing needs."""
    started = ForkServer("packkit.mixture", "packkit.packing", "packkit.shards.scan")
    yield started
    started.close()


@pytest.fixture(scope="module")
def workshop(server, tmp_path_factory, tiny_tokenizer):
    """Makes jobs by name."""
    made = Workshop(server, tmp_path_factory.mktemp("faults"), tiny_tokenizer)
    job = made.job("pack")
    job.lay()
    server.warm("command", words=job.words, folder=str(job.desk))
    return made


@pytest.fixture
def record():
    """Notes the figures of a check: how often it was tried, and how often something was silent."""
    started = time.monotonic()

    def note(check, target, trials, silent):
        FIGURES.parent.mkdir(parents=True, exist_ok=True)
        seconds = round(time.monotonic() - started, 1)
        line = {"check": check, "target": target, "trials": trials, "silent": silent}
        with open(FIGURES, "a") as file:
            file.write(json.dumps({**line, "seconds": seconds}) + "\n")

    return note
