"""Which twin of an operation runs: Triton's kernel or plain torch."""

from __future__ import annotations

import importlib
import os
from importlib.util import find_spec
from typing import Any, Literal

from torch import Tensor

from packkit.base.errors import InputError, MissingExtraError

Backend = Literal["auto", "reference", "triton"]
"""``auto`` is Triton for tensors on CUDA and plain torch for all others."""

_MODULES = {"reference": "packkit_kernels.reference", "triton": "packkit_kernels.varlen"}
_HAS_TRITON = find_spec("triton") is not None
# Triton reads it as it is imported, so a later change has no effect.
_IS_INTERPRETED = os.environ.get("TRITON_INTERPRET", "").lower() in {"1", "true", "yes", "on", "y"}


def choose_twin(backend: Backend, tensor: Tensor) -> str:
    """Returns ``reference`` or ``triton``.

    Args:
        backend: Backend that the caller asked for.
        tensor: Tensor that is computed on.

    Raises:
        InputError: `backend` is none, or Triton cannot run on the tensor.
        MissingExtraError: Triton is to run and is not installed.
    """
    if backend not in ("auto", *_MODULES):
        raise InputError(f"backend must be 'auto', 'reference' or 'triton', got {backend!r}")
    is_on_cuda = tensor.device.type == "cuda"
    if backend == "reference" or (backend == "auto" and not is_on_cuda):
        return "reference"
    if not _HAS_TRITON:
        raise MissingExtraError("triton", "torch")
    if not is_on_cuda and not _IS_INTERPRETED:
        raise InputError(
            f"backend='triton' needs tensors on CUDA, got {tensor.device}; TRITON_INTERPRET=1, set "
            "before Python starts, runs the kernels on a CPU, thousands of times slower"
        )
    return "triton"


def twin(name: str) -> Any:  # noqa: ANN401
    """Returns the module that holds the operations."""
    return importlib.import_module(_MODULES[name])
