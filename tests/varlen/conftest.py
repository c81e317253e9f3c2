"""Kernels run on a GPU or, where TRITON_INTERPRET=1, one program after another on the CPU."""

import os

import pytest
import torch


@pytest.fixture(scope="session")
def device():
    """Where kernels run in this process."""
    if os.environ["TRITON_INTERPRET"] == "1":
        return "cpu"
    if not torch.cuda.is_available():
        pytest.skip("TRITON_INTERPRET=0 runs kernels on a GPU, and there is no CUDA device")
    return "cuda"


@pytest.fixture(autouse=True)
def poisoned_memory():
    """Fills what is allocated with NaN, or the largest integer: a gap in an output shows."""
    torch.use_deterministic_algorithms(True)
    assert torch.empty(3).isnan().all()
    assert (torch.empty(3, dtype=torch.int32) == torch.iinfo(torch.int32).max).all()
    yield
    torch.use_deterministic_algorithms(False)
