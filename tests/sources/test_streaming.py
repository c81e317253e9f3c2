"""A file of any size is read in the memory of a small one."""

import json
import os
import subprocess
import sys

import pytest

ELEMENT = {
    "id": "0123",
    "image": "images/0123.jpg",
    "conversations": [
        {"from": "human", "value": "<image>\nWhat does the picture show?"},
        {"from": "gpt", "value": 'An axial slice of the chest [in the "lung" window], {1}. ' * 30},
    ],
}
BLOCK_BYTES = 1 << 20
GROWTH_BYTES = 32 << 20

# Reads every sample of a file and tells their number, the seconds, and the peak of its memory.
READ_ALL = """
import resource, sys, time
from pathlib import Path
from packkit.samples import Sample
from packkit.sources import read_samples
started = time.perf_counter()
count = 0
for origin, sample in read_samples([sys.argv[1]], staging=Path(sys.argv[2])):
    assert isinstance(sample, Sample), sample
    count += 1
seconds = time.perf_counter() - started
print(count, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def write_array(path, size):
    """Writes a LLaVA array of at least `size` bytes by repeating a block; returns its length."""
    element = json.dumps(ELEMENT).encode()
    per_block = BLOCK_BYTES // len(element)
    block = b",\n".join([element] * per_block)
    blocks = -(-size // len(block))
    with open(path, "wb") as file:
        file.write(b"[" + block)
        for _ in range(blocks - 1):
            file.write(b",\n" + block)
        file.write(b"]")
    return per_block * blocks


@pytest.mark.proof
def test_an_array_of_5_gb_takes_no_more_memory_than_one_of_half_a_gb(tmp_path):
    peaks = []
    for size in (500_000_000, 5_000_000_000):
        path = tmp_path / "llava.json"
        expected = write_array(path, size)
        assert path.stat().st_size >= size
        command = [sys.executable, "-c", READ_ALL, str(path), str(tmp_path)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        os.remove(path)
        assert result.returncode == 0, result.stderr
        count, seconds, peak = result.stdout.split()
        print(f"{size:,} bytes: {count} samples, {float(seconds):.1f} s, {int(peak):,} bytes peak")
        assert int(count) == expected
        peaks.append(int(peak))
    assert peaks[1] - peaks[0] < GROWTH_BYTES
