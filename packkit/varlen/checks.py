"""What the operations demand of their inputs.

Shapes, types and devices are checked always. Values are checked on a CPU alone: on a GPU that would
make every call wait for the device, so there kernels are written to read nothing outside.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from packkit.base.errors import InputError

LARGEST_TOTAL = (1 << 31) - 1
"""Tokens of a batch at most: `cu_seqlens` counts them in int32."""


def check_tensor(
    name: str, tensor: Tensor, *, dtype: torch.dtype, dim: int, device: torch.device
) -> None:
    """Raises InputError unless the tensor is of the type, number of dimensions and device."""
    if tensor.dtype != dtype or tensor.dim() != dim or tensor.device != device:
        raise InputError(
            f"{name} must be {dtype} of {dim} dimensions on {device}, got {tensor.dtype} of shape "
            f"{tuple(tensor.shape)} on {tensor.device}"
        )


def check_segments(cu_seqlens: Tensor, total: int) -> None:
    """Raises InputError unless `cu_seqlens` is int32 [N+1], N and `total` at least 1."""
    check_tensor("cu_seqlens", cu_seqlens, dtype=torch.int32, dim=1, device=cu_seqlens.device)
    if len(cu_seqlens) < 2:
        raise InputError(f"cu_seqlens must have at least 2 entries, got {len(cu_seqlens)}")
    if total < 1:
        raise InputError(f"total must be at least 1 token, got {total}")
    # The entries are int32. A number that torch.compile leaves open is compared alone.
    if total > LARGEST_TOTAL:
        raise InputError(f"total must be at most {LARGEST_TOTAL} tokens, got {total}")


def check_cu_seqlens(cu_seqlens: Tensor, total: int) -> None:
    """Raises InputError unless the entries rise from 0 to `total`; looks on a CPU alone."""
    if cu_seqlens.device.type != "cpu":
        return
    first, last = int(cu_seqlens[0]), int(cu_seqlens[-1])
    if first != 0 or last != total:
        raise InputError(
            f"cu_seqlens must go from 0 to {total} tokens, goes from {first} to {last}"
        )
    falls = cu_seqlens.diff() < 0
    if falls.any():
        place = int(falls.int().argmax())
        raise InputError(
            f"cu_seqlens must never fall, got {int(cu_seqlens[place])} at {place} and "
            f"{int(cu_seqlens[place + 1])} after it"
        )


def check_slots(image_slots: Tensor, total: int, features: int) -> None:
    """Raises InputError unless slots lie in order, apart, within the tokens, one a feature.

    Looks on a CPU alone.
    """
    if image_slots.device.type != "cpu":
        return
    end = 0
    for image, (first, count) in enumerate(image_slots.tolist()):
        if first < end or count < 0 or first + count > total:
            raise InputError(
                f"image_slots[{image}] must lie in tokens {end} to {total}, after the image before "
                f"it, got {count} tokens from {first}"
            )
        end = first + count
    slots = int(image_slots[:, 1].sum())
    if slots != features:
        raise InputError(
            f"image_features must have a row for each of the {slots} image tokens of image_slots, "
            f"got {features}"
        )


def check_ids(input_ids: Tensor, vocabulary: int) -> None:
    """Raises InputError unless every id has a row in the table; looks on a CPU alone."""
    if input_ids.device.type != "cpu":
        return
    wrong = (input_ids < 0) | (input_ids >= vocabulary)
    if wrong.any():
        place = int(wrong.int().argmax())
        raise InputError(
            f"input_ids[{place}] must be in 0..{vocabulary - 1}, got {int(input_ids[place])}"
        )


def square_side(name: str, tokens: int) -> int:
    """Returns the edge of a square grid of tokens, or raises InputError where it is none."""
    side = math.isqrt(max(tokens, 0))
    if tokens < 1 or side * side != tokens:
        raise InputError(f"{name} must be a square number of tokens, got {tokens}")
    return side
