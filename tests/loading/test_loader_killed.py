"""Killed loaders and workers leave nothing behind that stops the next."""

import os
import signal
import subprocess
import sys
import time

import pytest

from packkit import check_ledger

PACKS = 23
SIZE = 16

# A shell that starts something in the background has it ignore Ctrl-C, and all that it starts.
HEEDS_CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"

TRAINING = f"""
{HEEDS_CTRL_C}
import sys, time
from packkit import PackLoader
loader = PackLoader(sys.argv[1], packs_per_step=2, threads=2, image_size=16, ledger=sys.argv[2])
while True:
    for batch in loader:
        print(batch.epoch, batch.step, flush=True)
        time.sleep(0.01)
"""


WORKERS = f"""
{HEEDS_CTRL_C}
import sys, time
from torch.utils.data import DataLoader
from packkit import PackDataset, PackSampler, PackStream
dataset = PackDataset(sys.argv[1], image_size=16)
stream = PackStream(dataset, PackSampler(dataset, packs_per_step=2))
for batch in DataLoader(stream, batch_size=None, num_workers=2):
    print(batch.epoch, batch.step, flush=True)
    time.sleep(0.1)
"""


def left_in_shared_memory(before):
    """What is new there and stays: what other tests put there at the same time goes again."""
    left = set(os.listdir("/dev/shm")) - before
    deadline = time.monotonic() + 20
    while left and time.monotonic() < deadline:
        time.sleep(0.1)
        left &= set(os.listdir("/dev/shm"))
    return left


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_killed_workers_leave_nothing_behind(packs, kill):
    before = set(os.listdir("/dev/shm"))
    command = [sys.executable, "-c", WORKERS, str(packs)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline().split() == [b"0", b"0"]
    with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
        children = file.read().split()
    assert len(children) == 2
    process.send_signal(kill)
    process.communicate(timeout=30)
    # Workers look for their parent every five seconds.
    deadline = time.monotonic() + 20
    while any(os.path.exists(f"/proc/{child}/cwd") for child in children):
        assert time.monotonic() < deadline, "workers outlive the process that they work for"
        time.sleep(0.1)
    assert not left_in_shared_memory(before)


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_process_leaves_nothing_that_stops_the_next(tmp_path, packs, kill):
    ledger = tmp_path / "ledger"
    before, files = set(os.listdir("/dev/shm")), os.listdir(packs)
    for _ in range(2):
        command = [sys.executable, "-c", TRAINING, str(packs), str(ledger)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        seen = [process.stdout.readline() for _ in range(15)]
        process.send_signal(kill)
        process.communicate(timeout=20)
        assert seen[0].split() == [b"0", b"0"]
        assert process.returncode == (-signal.SIGKILL if kill is signal.SIGKILL else 1) or (
            process.returncode == -signal.SIGINT
        )
    assert not left_in_shared_memory(before)
    assert sorted(os.listdir(packs)) == sorted(files)
    report = check_ledger(ledger, [packs])
    assert report.problems == []
    assert report.epochs[0].packs == PACKS
