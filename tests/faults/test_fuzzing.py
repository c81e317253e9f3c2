"""Every parser is fed mutated files for minutes, within bounds of memory."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).absolute().parents[2]
SECONDS = os.environ.get("PACKKIT_FUZZ_SECONDS", "300")
# Of addresses: what is mapped and never touched counts, too.
MEMORY = 8 << 30


@pytest.mark.faults
def test_mutated_files_of_every_parser(record):
    started = time.monotonic()
    words = [sys.executable, "-m", "pytest", "-q", "tests/sources/test_mutated.py"]
    finished = subprocess.run(
        words,
        cwd=ROOT,
        env={**os.environ, "PACKKIT_FUZZ_SECONDS": SECONDS},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
        capture_output=True,
        text=True,
    )
    minutes = round((time.monotonic() - started) / 60)
    record(f"mutated files, {minutes} minutes", "all parsers", minutes, finished.returncode)
    assert finished.returncode == 0, finished.stdout[-4000:]
