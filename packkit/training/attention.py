"""Attention in which samples of a pack do not see each other, for a language model of transformers.

transformers' own attention keeps packed samples apart only as long as it is given neither a mask
nor a cache, and gives no warning where it does not (docs/attention.md). Here the
segments are always passed.
"""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface

from packkit.loading import PackBatch
from packkit.varlen import block_mask, dense_mask

Attention = Literal["auto", "varlen", "flex", "sdpa"]

_VARLEN = "packkit_varlen"
_IMPLEMENTATIONS = {"varlen": _VARLEN, "flex": "flex_attention", "sdpa": "sdpa"}


def choose_attention(attention: Attention, device: torch.device, dtype: torch.dtype) -> str:
    """Returns the name by which transformers knows an attention.

    Args:
        attention: ``auto`` is ``varlen`` wherever that can be: on a CPU, and on a GPU in 16 bits.
        device: Device on which the model runs.
        dtype: Floating point type in which the model runs.
    """
    if attention == "auto":
        has_varlen = device.type == "cpu" or dtype in (torch.bfloat16, torch.float16)
        attention = "varlen" if has_varlen else "sdpa"
    return _IMPLEMENTATIONS[attention]


def attention_inputs(batch: PackBatch, implementation: str, *, isolate: bool) -> dict[str, Any]:
    """Returns what a language model takes beside embeddings to attend inside samples alone.

    Args:
        batch: Batch whose T tokens lie on one axis.
        implementation: Name from `choose_attention`; the model must be set to the same.
        isolate: Whether samples are kept apart. If not, every token sees all before it and
            positions run on, as in trainers that only put an end token between samples.

    Returns:
        ``position_ids`` int64 [1, T], ``attention_mask``, and for ``varlen`` the segments.
    """
    bounds, positions, longest = batch.cu_seqlens, batch.position_ids, batch.max_seqlen
    if not isolate:
        positions = torch.arange(batch.tokens, device=positions.device)
        bounds = torch.arange(2, dtype=torch.int32, device=positions.device) * batch.tokens
        longest = batch.tokens
    inputs: dict[str, Any] = {"position_ids": positions[None], "use_cache": False}
    match implementation:
        case "sdpa":
            return {**inputs, "attention_mask": dense_mask(bounds, batch.tokens)}
        case "flex_attention":
            return {**inputs, "attention_mask": block_mask(bounds, batch.tokens)}
    return {**inputs, "attention_mask": None, "cu_seqlens": bounds, "max_seqlen": longest}


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float,
    cu_seqlens: Tensor,
    max_seqlen: int,
    **_: Any,  # noqa: ANN401
) -> tuple[Tensor, None]:
    """Attends causally inside segments; transformers calls it in every layer.

    Args:
        module: Attention layer that calls.
        query: Floating point [1, heads, T, channels].
        key: Floating point [1, key heads, T, channels].
        value: Floating point [1, key heads, T, channels].
        attention_mask: Always None: the segments take its place.
        scaling: Factor that the scores are multiplied by.
        cu_seqlens: int32 [N+1], where each segment begins.
        max_seqlen: Number of tokens of the longest segment.

    Returns:
        [1, T, heads, channels], and no weights.
    """
    if query.device.type == "cpu":
        return _attend_in_turn(query, key, value, scaling, cu_seqlens).transpose(1, 2), None
    from torch.nn.attention.varlen import varlen_attn

    options = _varlen_options()
    if "enable_gqa" not in options:
        # Releases of torch before the option want as many key heads as query heads.
        times = query.shape[1] // key.shape[1]
        key, value = (heads.repeat_interleave(times, 1) for heads in (key, value))
    # Without `return_aux` it is no tuple.
    attended = cast(
        "Tensor",
        varlen_attn(
            query[0].transpose(0, 1),
            key[0].transpose(0, 1),
            value[0].transpose(0, 1),
            cu_seqlens,
            cu_seqlens,
            max_seqlen,
            max_seqlen,
            scale=scaling,
            **options,
        ),
    )
    return attended.unsqueeze(0), None


# torch.compile cannot look into a signature; it need not, since the answer never changes.
@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
@cache
def _varlen_options() -> dict[str, Any]:
    """Returns what makes torch's varlen attention causal, with grouped heads where it has them."""
    from torch.nn.attention.varlen import varlen_attn

    # A window without an end to the left, and without a beginning to the right.
    options: dict[str, Any] = {"window_size": (-1, 0)}
    if "enable_gqa" in inspect.signature(varlen_attn).parameters:
        options["enable_gqa"] = True
    return options


def _attend_in_turn(
    query: Tensor, key: Tensor, value: Tensor, scaling: float, cu_seqlens: Tensor
) -> Tensor:
    """Attends segment by segment: torch has no varlen attention on a CPU."""
    lengths = cu_seqlens.diff().tolist()
    segments = zip(*(torch.split(heads, lengths, 2) for heads in (query, key, value)), strict=True)
    return torch.cat(
        [
            scaled_dot_product_attention(q, k, v, is_causal=True, scale=scaling, enable_gqa=True)
            for q, k, v in segments
        ],
        dim=2,
    )


def _no_mask(*_: Any, **__: Any) -> None:  # noqa: ANN401
    """Makes no mask: the segments take its place."""


AttentionInterface.register(_VARLEN, _attend)
AttentionMaskInterface.register(_VARLEN, _no_mask)
