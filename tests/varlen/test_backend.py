"""Which twin runs, and what is said where the one asked for cannot."""

import os
import subprocess
import sys

import pytest
import torch

from packkit.base.errors import InputError, MissingExtraError
from packkit.varlen import backend, normalize_pixels

ASK_FOR_TRITON = """
import torch
from packkit.varlen import normalize_pixels
normalize_pixels(torch.zeros(1, dtype=torch.uint8), backend="triton")
"""


class OnCuda:
    """As much of a tensor on a GPU as the choice looks at."""

    device = torch.device("cuda", 0)


def test_cuda_takes_triton_and_all_else_torch(monkeypatch):
    monkeypatch.setattr(backend, "_HAS_TRITON", True)
    assert backend.choose_twin("auto", OnCuda()) == "triton"
    assert backend.choose_twin("reference", OnCuda()) == "reference"
    assert backend.choose_twin("auto", torch.zeros(1)) == "reference"


def test_triton_without_a_gpu_is_an_error_that_says_why():
    plain = {**os.environ, "TRITON_INTERPRET": "0"}
    result = subprocess.run(
        [sys.executable, "-c", ASK_FOR_TRITON], env=plain, capture_output=True, text=True
    )
    assert result.returncode == 1
    assert "InputError: backend='triton' needs tensors on CUDA, got cpu" in result.stderr


def test_missing_triton_gives_the_pip_line_and_never_plain_torch(monkeypatch):
    monkeypatch.setattr(backend, "_HAS_TRITON", False)
    with pytest.raises(MissingExtraError, match=r"pip install 'packkit\[torch\]'"):
        backend.choose_twin("auto", OnCuda())
    assert backend.choose_twin("auto", torch.zeros(1)) == "reference"


def test_unknown_backend_is_refused():
    with pytest.raises(InputError, match="must be 'auto', 'reference' or 'triton', got 'cuda'"):
        normalize_pixels(torch.zeros(1, dtype=torch.uint8), backend="cuda")


def test_plain_torch_needs_no_triton():
    code = "import sys; from packkit import varlen; print('triton' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stdout.split()) == (0, ["False"]), result.stderr
