"""Kernels compile ahead of time for three generations of GPUs, and fit their registers."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "bench" / "kernel_resources.py"
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
def compiled(tmp_path_factory):
    """The script in a process of its own, with nothing compiled before."""
    own = {**os.environ, "TRITON_CACHE_DIR": str(tmp_path_factory.mktemp("triton"))}
    command = [sys.executable, "-W", "error", SCRIPT]
    return subprocess.run(command, env=own, capture_output=True, text=True, check=False)


def test_every_kernel_compiles_without_spilling(compiled):
    print(compiled.stdout)
    assert compiled.returncode == 0, compiled.stderr
    rows = [line.split("│")[1:-1] for line in compiled.stdout.splitlines() if line.startswith("│")]
    found = {(name.strip(), target.strip()) for name, _, target, *_ in rows}
    assert found == {
        (name, target) for name in KERNELS for target in ("sm_80", "sm_90a", "sm_100a")
    }
    for *_, registers, spilled, _ in rows:
        assert 0 < int(registers) <= 64
        assert int(spilled) == 0


def test_every_kernel_of_the_package_is_among_them():
    sources = (ROOT / "kernels/packkit_kernels/varlen").glob("*.py")
    names = re.findall(r"def (\w+)_kernel\(", "".join(path.read_text() for path in sources))
    assert set(names) == KERNELS
