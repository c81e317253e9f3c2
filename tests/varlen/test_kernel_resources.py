"""Kernels compile ahead of time for three generations of GPUs, and fit their registers."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "bench" / "kernel_resources.py"
TARGETS = {"sm_80", "sm_90a", "sm_100a"}
KERNELS = {
    "block_ranges",
    "dense_mask",
    "feature_rows",
    "gather_rows",
    "normalize_pixels",
    "pack_tokens",
    "pool_image_tokens",
    "scatter_rows",
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """The rows of the script, in a process of its own, with nothing compiled before."""
    folder = tmp_path_factory.mktemp("triton")
    environment = {**os.environ, "TRITON_CACHE_DIR": str(folder / "cache")}
    command = [sys.executable, "-W", "error", SCRIPT, "--json", folder / "rows.jsonl"]
    compiled = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    print(compiled.stdout)
    assert compiled.returncode == 0, compiled.stderr
    return [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]


def test_every_kernel_compiles_for_every_target(rows):
    compiled = {(row["name"], row["variant"]) for row in rows}
    assert compiled == {(name, target) for name in KERNELS for target in TARGETS}


def test_no_kernel_spills_or_takes_more_than_64_registers(rows):
    registers, spilled = (
        [row["value"] for row in rows if row["metric"] == metric]
        for metric in ("registers", "spilled")
    )
    assert len(registers) == len(spilled) >= len(KERNELS) * len(TARGETS)
    assert 0 < min(registers) <= max(registers) <= 64
    assert set(spilled) == {0}


def test_every_kernel_of_the_package_is_among_them():
    sources = (ROOT / "kernels/packkit_kernels/varlen").glob("*.py")
    names = re.findall(r"def (\w+)_kernel\(", "".join(path.read_text() for path in sources))
    assert set(names) == KERNELS
