"""Killed anywhere: an old set, the new one, or none that claims to be whole; then a whole one."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
from sweep import kills

JOBS = [
    "pack",
    "pack-files",
    "pack-resumed",
    "pack-overwrite",
    "pack-overwrite-by-two-renames",
    "mix",
    "mix-resolve",
    "index",
    "index-of-lines",
]


@pytest.mark.parametrize("name", ["pack", "pack-files", "pack-overwrite", "mix"])
def test_killed_at_some_calls(workshop, server, name):
    sweep = kills(workshop.job(name), server, every=29, first=3)
    assert sweep.guilty == []
    assert sweep.trials > 3
    assert name != "pack-overwrite" or "none" not in sweep.states


@pytest.mark.faults
@pytest.mark.parametrize("name", JOBS)
def test_killed_at_every_call(workshop, server, record, name):
    sweep = kills(workshop.job(name), server)
    record("killed at every call, and in every write", name, sweep.trials, len(sweep.guilty))
    assert sweep.guilty == []
    # The folders are exchanged in one step, or in two where the system cannot do better.
    if name.startswith("pack-overwrite"):
        assert sweep.states.get("none", 0) <= (2 if "renames" in name else 0)


def test_the_harness_finds_a_naive_writer_guilty(workshop, server):
    sweep = kills(workshop.naive(), server)
    # Only before it says anything, and after it wrote all, does it keep what it promises.
    assert len(sweep.guilty) > sweep.trials / 2
    assert any("claims to be whole" in line for line in sweep.guilty)


def _command(words):
    program = "from packkit.cli.main import main; main()"
    return [sys.executable, "-c", program, *words]


@pytest.mark.faults
@pytest.mark.parametrize("name", ["pack", "pack-overwrite"])
def test_true_processes_killed_at_random(workshop, server, record, name):
    # Proves that a forked child stands for a command from the shell.
    job = workshop.job(name)
    job.measure(server)
    job.lay()
    started = time.monotonic()
    subprocess.run(_command(job.words), cwd=job.desk, check=True, capture_output=True)
    seconds = time.monotonic() - started
    assert job.content() == job.new
    draws = random.Random(name)
    silent = 0
    for _ in range(10):
        job.lay()
        process = subprocess.Popen(
            _command(job.words),
            cwd=job.desk,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # Most of the time goes into imports, before anything is written.
        time.sleep(seconds * draws.uniform(0.6, 1))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        subprocess.run(_command(job.words), cwd=job.desk, check=True, capture_output=True)
        silent += job.content() != job.new
    record("true processes killed at random times", name, 10, silent)
    assert silent == 0
