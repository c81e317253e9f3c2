"""Token embeddings with image features in their slots, and the gradient of the features.

The gradient of the embedding is torch's own: it sorts token ids and adds in a fixed order, as a
deterministic kernel here would have to.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from packkit_kernels.reference import slot_offsets
from packkit_kernels.varlen.options import EXACT
from packkit_kernels.varlen.search import search_steps, segment_at

_TOKENS = 256
_CHANNELS = 1024


@triton.jit(do_not_specialize=["images", "steps", "total"])
def feature_rows_kernel(
    slot_starts, slot_tokens, offsets, rows, images, steps, total, BLOCK: tl.constexpr
):
    """Writes the row of the features that each token of one block takes.

    Args:
        slot_starts: Pointer to int32 [M], first token of each image.
        slot_tokens: Pointer to int32 [M], tokens of each image.
        offsets: Pointer to int32 [M], row of the features at which each image begins.
        rows: Pointer to int32 [T], written: row of the features; -1 for a token of text.
        images: Number of images, M; may be 0.
        steps: Loads of the search, `search_steps(images)`.
        total: Number of tokens, T.
        BLOCK: Tokens of a program, a power of two.
    """
    tokens = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    image = segment_at(slot_starts, images, steps, tokens)
    has_image = image < images
    place = tokens - tl.load(slot_starts + image, mask=has_image, other=0)
    is_in_slot = (place >= 0) & (place < tl.load(slot_tokens + image, mask=has_image, other=0))
    row = tl.load(offsets + image, mask=has_image, other=0) + place
    tl.store(rows + tokens, tl.where(is_in_slot, row, -1), mask=tokens < total)


def feature_rows(image_slots: Tensor, total: int) -> Tensor:
    """Launches the kernel; see `packkit_kernels.reference.feature_rows`."""
    images = len(image_slots)
    starts, tokens = image_slots.T.contiguous()
    rows = torch.empty(total, dtype=torch.int32, device=image_slots.device)
    feature_rows_kernel[(triton.cdiv(total, _TOKENS),)](
        starts,
        tokens,
        slot_offsets(image_slots),
        rows,
        images,
        search_steps(images),
        total,
        BLOCK=_TOKENS,
        **EXACT,
    )
    return rows


@triton.jit(do_not_specialize=["num_rows"])
def gather_rows_kernel(
    input_ids,
    embedding,
    features,
    rows,
    out,
    vocabulary,
    num_rows,
    channels,
    BLOCK: tl.constexpr,
):
    """Copies one block of channels of one token, from the table or the features, a program.

    Args:
        input_ids: Pointer to int64 [T], token ids.
        embedding: Pointer to floating point [V, D], the table.
        features: Pointer to floating point [K, D], rows of all images.
        rows: Pointer to int32 [T], row of the features; -1 for a token of text.
        out: Pointer to the type of `embedding` [T, D], written: NaN where a row is missing.
        vocabulary: Number of rows of the table, V.
        num_rows: Number of rows of the features, K.
        channels: Number of channels, D.
        BLOCK: Channels of a program, a power of two.
    """
    token = tl.program_id(0).to(tl.int64)
    channel = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    row = tl.load(rows + token).to(tl.int64)
    number = tl.load(input_ids + token)
    # An id or a row that is not there must show, and must not read other memory: no channel of it
    # is loaded.
    missing = float("nan")
    of_text = tl.where((number >= 0) & (number < vocabulary), channels, 0)
    of_image = tl.where((row >= 0) & (row < num_rows), channels, 0)
    of_text = tl.where(row >= 0, 0, of_text)
    text = tl.load(embedding + number * channels + channel, mask=channel < of_text, other=missing)
    image = tl.load(features + row * channels + channel, mask=channel < of_image, other=missing)
    value = tl.where(row >= 0, image.to(tl.float32), text.to(tl.float32))
    tl.store(out + token * channels + channel, value, mask=channel < channels)


def gather_rows(input_ids: Tensor, embedding: Tensor, features: Tensor, rows: Tensor) -> Tensor:
    """Launches the kernel; see `packkit_kernels.reference.gather_rows`."""
    vocabulary, channels = embedding.shape
    out = torch.empty((len(input_ids), channels), dtype=embedding.dtype, device=embedding.device)
    gather_rows_kernel[(len(input_ids), triton.cdiv(channels, _CHANNELS))](
        input_ids,
        embedding,
        features,
        rows,
        out,
        vocabulary,
        len(features),
        channels,
        BLOCK=_CHANNELS,
        **EXACT,
    )
    return out


@triton.jit(do_not_specialize=["num_rows"])
def scatter_rows_kernel(grad, rows, grad_features, num_rows, channels, BLOCK: tl.constexpr):
    """Copies one block of channels of one image token's gradient a program.

    Args:
        grad: Pointer to floating point [T, D], gradient of the output.
        rows: Pointer to int32 [T], no row twice; -1 for a token of text.
        grad_features: Pointer to floating point [K, D], zeros; written: gradient of the features.
        num_rows: Number of rows of the features, K.
        channels: Number of channels, D.
        BLOCK: Channels of a program, a power of two.
    """
    token = tl.program_id(0).to(tl.int64)
    channel = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    row = tl.load(rows + token).to(tl.int64)
    is_image = channel < tl.where((row >= 0) & (row < num_rows), channels, 0)
    value = tl.load(grad + token * channels + channel, mask=is_image, other=0.0)
    tl.store(grad_features + row * channels + channel, value, mask=is_image)


def scatter_rows(grad: Tensor, rows: Tensor, num_rows: int, dtype: torch.dtype) -> Tensor:
    """Launches the kernel; see `packkit_kernels.reference.scatter_rows`."""
    tokens, channels = grad.shape
    # No two tokens share a row: nothing is added, so there is no order to matter.
    grad_features = torch.zeros((num_rows, channels), dtype=dtype, device=grad.device)
    scatter_rows_kernel[(tokens, triton.cdiv(channels, _CHANNELS))](
        grad, rows, grad_features, num_rows, channels, BLOCK=_CHANNELS, **EXACT
    )
    return grad_features
