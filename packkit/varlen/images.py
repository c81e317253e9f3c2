"""Images on their way into a sequence: pixels normalised, tokens pooled, features spliced in."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.library import custom_op

from packkit.base.errors import InputError
from packkit.varlen.backend import Backend, choose_twin, twin
from packkit.varlen.checks import check_ids, check_slots, check_tensor, square_side


def splice_image_tokens(
    input_ids: Tensor,
    embedding: Tensor,
    image_features: Tensor,
    image_slots: Tensor,
    *,
    backend: Backend = "auto",
) -> Tensor:
    """Embeds tokens, with image features in the slots of their images.

    Slots are found by place, never by token id. Both gradients are the same bits in every run.

    Args:
        input_ids: int64 [T], token ids; those inside slots are not looked at.
        embedding: Floating point [V, D], the embedding table.
        image_features: Floating point [K, D], or [M, tokens, D], a row for each image token in
            order; converted to the type of `embedding`.
        image_slots: int32 [M, 2], first token and number of tokens of each image, in order; K in
            all. `PackBatch.image_slots` is this.
        backend: ``auto``, ``reference`` or ``triton``.

    Returns:
        [T, D], of the type of `embedding`. On a GPU, where ids and slots are not looked at
        beforehand, a token whose row is not there is NaN.

    Raises:
        InputError: An argument is of another shape, type or device; on a CPU also where slots
            overlap or leave the tokens, where they and the features differ in number, or where an
            id has no row.

    Example:
        >>> import torch
        >>> table, features = torch.arange(4.0)[:, None], torch.tensor([[70.0], [80.0]])
        >>> ids, slots = torch.tensor([3, 0, 0, 1]), torch.tensor([[1, 2]], dtype=torch.int32)
        >>> splice_image_tokens(ids, table, features, slots)[:, 0].tolist()
        [3.0, 70.0, 80.0, 1.0]
    """
    device = input_ids.device
    check_tensor("input_ids", input_ids, dtype=torch.int64, dim=1, device=device)
    check_tensor("embedding", embedding, dtype=embedding.dtype, dim=2, device=device)
    check_tensor("image_slots", image_slots, dtype=torch.int32, dim=2, device=device)
    if image_features.dim() < 2 or image_features.shape[-1] != embedding.shape[1]:
        raise InputError(
            f"image_features must be [K, {embedding.shape[1]}], as embedding is "
            f"{tuple(embedding.shape)}, got {tuple(image_features.shape)}"
        )
    if image_slots.shape[1] != 2 or not len(input_ids):
        raise InputError(
            f"image_slots must be [M, 2] and input_ids not empty, got {tuple(image_slots.shape)} "
            f"and {len(input_ids)} tokens"
        )
    features = image_features.flatten(0, -2).contiguous()
    check_tensor("image_features", features, dtype=features.dtype, dim=2, device=device)
    chosen = choose_twin(backend, input_ids)
    rows = _feature_rows(image_slots, len(input_ids), len(features), chosen)
    table = embedding.contiguous()
    spliced: Tensor = _splice(input_ids.contiguous(), table, features, rows, chosen)
    return spliced


def pool_image_tokens(features: Tensor, tokens: int = 144, *, backend: Backend = "auto") -> Tensor:
    """Averages image tokens over a square grid to a smaller one: 27 x 27 to 12 x 12, or any.

    Equal to `torch.nn.functional.adaptive_avg_pool2d`, whose cells overlap, on features that stay
    token-major.

    Args:
        features: Floating point [M, S, C], S a square number, rows of the grid one after another.
        tokens: Tokens of an image afterwards, a square number, at most S.
        backend: ``auto``, ``reference`` or ``triton``; the gradient is torch's with any.

    Returns:
        [M, tokens, C].

    Raises:
        InputError: A number of tokens is no square, or would grow.

    Example:
        >>> import torch
        >>> pool_image_tokens(torch.arange(9.0).view(1, 9, 1), 4).flatten().tolist()
        [2.0, 3.0, 5.0, 6.0]
    """
    if features.dim() != 3 or not features.is_floating_point():
        raise InputError(
            f"features must be floating point [M, S, C], got {features.dtype} of shape "
            f"{tuple(features.shape)}"
        )
    side = square_side("features.shape[1]", features.shape[1])
    target = square_side("tokens", tokens)
    if target > side:
        raise InputError(f"tokens must be at most {side * side}, those of an image, got {tokens}")
    if target == side:
        return features
    chosen = choose_twin(backend, features)
    pooled: Tensor = _pool(features.contiguous(), side, target, chosen)
    return pooled


def normalize_pixels(
    pixels: Tensor, dtype: torch.dtype = torch.bfloat16, *, backend: Backend = "auto"
) -> Tensor:
    """Normalises pixels as SigLIP takes them: (x / 255 - 0.5) / 0.5, in one pass, rounded once.

    Args:
        pixels: uint8, as `PackBatch.pixel_values` [M, 3, S, S].
        dtype: Type of the result: bfloat16, float16 or float32.
        backend: ``auto``, ``reference`` or ``triton``.

    Returns:
        The shape of `pixels`, in [-1, 1].

    Raises:
        InputError: The pixels are not uint8, or `dtype` is none of the three.

    Example:
        >>> import torch
        >>> normalize_pixels(torch.tensor([0, 255], dtype=torch.uint8)).tolist()
        [-1.0, 1.0]
    """
    if pixels.dtype != torch.uint8:
        raise InputError(f"pixels must be torch.uint8, got {pixels.dtype}")
    if dtype not in (torch.bfloat16, torch.float16, torch.float32):
        raise InputError(f"dtype must be bfloat16, float16 or float32, got {dtype}")
    normalized: Tensor = _normalize(pixels.contiguous(), dtype, choose_twin(backend, pixels))
    return normalized


@custom_op("packkit::feature_rows", mutates_args=())
def _feature_rows(image_slots: Tensor, total: int, features: int, backend: str) -> Tensor:
    check_slots(image_slots, total, features)
    rows: Tensor = twin(backend).feature_rows(image_slots, total)
    return rows


@_feature_rows.register_fake
def _(image_slots: Tensor, total: int, features: int, backend: str) -> Tensor:
    return image_slots.new_empty(total)


@custom_op("packkit::splice_image_tokens", mutates_args=())
def _splice(
    input_ids: Tensor, embedding: Tensor, features: Tensor, rows: Tensor, backend: str
) -> Tensor:
    check_ids(input_ids.where(rows < 0, 0), len(embedding))
    spliced: Tensor = twin(backend).gather_rows(input_ids, embedding, features, rows)
    return spliced


@_splice.register_fake
def _(input_ids: Tensor, embedding: Tensor, features: Tensor, rows: Tensor, backend: str) -> Tensor:
    return embedding.new_empty((len(input_ids), embedding.shape[1]))


@custom_op("packkit::feature_gradient", mutates_args=())
def _feature_gradient(
    grad: Tensor, rows: Tensor, num_rows: int, dtype: torch.dtype, backend: str
) -> Tensor:
    gradient: Tensor = twin(backend).scatter_rows(grad, rows, num_rows, dtype)
    return gradient


@_feature_gradient.register_fake
def _(grad: Tensor, rows: Tensor, num_rows: int, dtype: torch.dtype, backend: str) -> Tensor:
    return grad.new_empty((num_rows, grad.shape[1]), dtype=dtype)


@custom_op("packkit::embedding_gradient", mutates_args=())
def _embedding_gradient(grad: Tensor, input_ids: Tensor, rows: Tensor, vocabulary: int) -> Tensor:
    gradient: Tensor = twin("reference").embedding_gradient(grad, input_ids, rows, vocabulary)
    return gradient


@_embedding_gradient.register_fake
def _(grad: Tensor, input_ids: Tensor, rows: Tensor, vocabulary: int) -> Tensor:
    return grad.new_empty((vocabulary, grad.shape[1]))


def _save_for_splice(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ANN401
    input_ids, embedding, features, rows, ctx.backend = inputs
    ctx.save_for_backward(input_ids, rows)
    ctx.vocabulary, ctx.num_rows, ctx.dtype = len(embedding), len(features), features.dtype


def _splice_backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
    input_ids, rows = ctx.saved_tensors
    grad = grad.contiguous()
    _, needs_table, needs_features, *_ = ctx.needs_input_grad
    table = _embedding_gradient(grad, input_ids, rows, ctx.vocabulary) if needs_table else None
    features = (
        _feature_gradient(grad, rows, ctx.num_rows, ctx.dtype, ctx.backend)
        if needs_features
        else None
    )
    return None, table, features, None, None


_splice.register_autograd(_splice_backward, setup_context=_save_for_splice)


@custom_op("packkit::pool_image_tokens", mutates_args=())
def _pool(features: Tensor, side: int, target: int, backend: str) -> Tensor:
    pooled: Tensor = twin(backend).pool_image_tokens(features, side, target)
    return pooled


@_pool.register_fake
def _(features: Tensor, side: int, target: int, backend: str) -> Tensor:
    return features.new_empty((len(features), target * target, features.shape[2]))


def _save_for_pool(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ANN401
    _, ctx.side, ctx.target, _ = inputs


def _pool_backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
    return twin("reference").pool_gradient(grad, ctx.side, ctx.target), None, None, None


_pool.register_autograd(_pool_backward, setup_context=_save_for_pool)


@custom_op("packkit::normalize_pixels", mutates_args=())
def _normalize(pixels: Tensor, dtype: torch.dtype, backend: str) -> Tensor:
    normalized: Tensor = twin(backend).normalize_pixels(pixels, dtype)
    return normalized


@_normalize.register_fake
def _(pixels: Tensor, dtype: torch.dtype, backend: str) -> Tensor:
    return torch.empty_like(pixels, dtype=dtype)
