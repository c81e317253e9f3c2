"""Which tokens belong together: positions, targets and the masks of attention, from lengths."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.library import custom_op
from torch.nn.attention.flex_attention import BlockMask

from packkit.base.errors import InputError
from packkit.varlen.backend import Backend, choose_twin, twin
from packkit.varlen.checks import check_cu_seqlens, check_segments, check_tensor


class PackedTokens(NamedTuple):
    """What follows from where segments begin.

    Attributes:
        position_ids: int64 [T], from 0 in every segment.
        segment_ids: int32 [T], 1 for the first sample, 2 for the next; 0 in padding.
        targets: int64 [T], the label of the next token; -100 where that is not trained or begins
            another segment.
        num_targets: int64 [], targets that are trained.
    """

    position_ids: Tensor
    segment_ids: Tensor
    targets: Tensor
    num_targets: Tensor


def pack_tokens(
    cu_seqlens: Tensor,
    labels: Tensor,
    num_segments: int | None = None,
    *,
    backend: Backend = "auto",
) -> PackedTokens:
    """Makes positions, segments and targets of the tokens of one pack or of many.

    Args:
        cu_seqlens: int32 [N+1], where each segment begins; the last entry is T.
        labels: int64 [T], unshifted; -100 where a token is not trained.
        num_segments: How many segments, from the first, are samples, the rest being padding; all
            if not given. `PackBatch.num_segments` is this.
        backend: ``auto``, ``reference`` or ``triton``.

    Raises:
        InputError: An argument is of another shape, type or device; on a CPU also where
            `cu_seqlens` does not rise from 0 to T.

    Example:
        >>> import torch
        >>> labels = torch.tensor([-100, 5, 6, -100, 8])
        >>> packed = pack_tokens(torch.tensor([0, 3, 5], dtype=torch.int32), labels)
        >>> packed.position_ids.tolist(), packed.targets.tolist(), int(packed.num_targets)
        ([0, 1, 2, 0, 1], [5, 6, -100, 8, -100], 3)
    """
    check_segments(cu_seqlens, labels.numel())
    check_tensor("labels", labels, dtype=torch.int64, dim=1, device=cu_seqlens.device)
    real = len(cu_seqlens) - 1 if num_segments is None else num_segments
    chosen = choose_twin(backend, labels)
    return PackedTokens(*_pack_tokens(cu_seqlens.contiguous(), labels.contiguous(), real, chosen))


def block_mask(
    cu_seqlens: Tensor,
    total: int,
    block_size: int = 128,
    *,
    isolate: bool = True,
    backend: Backend = "auto",
) -> BlockMask:
    """Makes FlexAttention's mask for packs: causal, and nothing outside a token's own segment.

    Equal, in all eight index tensors, to `torch.nn.attention.flex_attention.create_block_mask` of
    the same mask, at a cost of O(T + blocks²) in place of O(T²), with nothing to compile. Its
    tensors have shapes that T alone decides: with T fixed (`pad_to_multiple_of`) a compiled model
    is not compiled again from pack to pack.

    Args:
        cu_seqlens: int32 [N+1], where each segment begins; the last entry is T.
        total: Number of tokens, T; a Python number, so that no device need be asked.
        block_size: Tokens of a block, a multiple of 16, as FlexAttention's tiles are.
        isolate: False lets every token see all before it: plain causal attention, as trainers have
            that do not keep samples apart. To keep packs apart all the same, give where packs
            begin as `cu_seqlens`.
        backend: ``auto``, ``reference`` or ``triton``.

    Returns:
        A mask for one batch row and all heads.

    Raises:
        InputError: An argument is of another shape or type; on a CPU also where `cu_seqlens` does
            not rise from 0 to T.

    Example:
        >>> import torch
        >>> mask = block_mask(torch.tensor([0, 100, 256], dtype=torch.int32), 256)
        >>> mask.kv_num_blocks.tolist(), mask.kv_indices.tolist()
        ([[[1, 2]]], [[[[0, 1], [0, 1]]]])
    """
    check_segments(cu_seqlens, total)
    if block_size < 16 or block_size % 16:
        raise InputError(f"block_size must be a multiple of 16 tokens, got {block_size}")
    bounds = cu_seqlens.contiguous() if isolate else _one_segment(cu_seqlens, total)
    chosen = choose_twin(backend, cu_seqlens)
    counts, indices, position_ids = _block_ranges(bounds, total, block_size, chosen)
    partial_keys, full_keys, partial_queries, full_queries = counts[:, None, None].unbind()
    key_blocks, full_key_blocks, query_blocks, full_query_blocks = indices[:, None, None].unbind()
    return BlockMask(
        seq_lengths=(total, total),
        kv_num_blocks=partial_keys,
        kv_indices=key_blocks,
        full_kv_num_blocks=full_keys,
        full_kv_indices=full_key_blocks,
        q_num_blocks=partial_queries,
        q_indices=query_blocks,
        full_q_num_blocks=full_queries,
        full_q_indices=full_query_blocks,
        BLOCK_SIZE=(block_size, block_size),
        mask_mod=_sees(position_ids),
    )


def dense_mask(
    cu_seqlens: Tensor,
    total: int,
    dtype: torch.dtype = torch.bool,
    *,
    isolate: bool = True,
    backend: Backend = "auto",
) -> Tensor:
    """Makes the whole mask, T x T, for attention that takes no other.

    Args:
        cu_seqlens: int32 [N+1], where each segment begins; the last entry is T.
        total: Number of tokens, T.
        dtype: Bool for `torch.nn.functional.scaled_dot_product_attention`: True where a query sees
            a key. A floating point type for a mask that is added to scores, as eager attention of
            transformers takes it (it would add a bool one as 0 and 1): 0 there, and the lowest
            number of the type elsewhere.
        isolate: See `block_mask`.
        backend: ``auto``, ``reference`` or ``triton``.

    Returns:
        [1, 1, T, T], batch, heads, queries, keys.

    Raises:
        InputError: An argument is of another shape or type; on a CPU also where `cu_seqlens` does
            not rise from 0 to T.

    Example:
        >>> import torch
        >>> dense_mask(torch.tensor([0, 1, 3], dtype=torch.int32), 3)[0, 0].int().tolist()
        [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
    """
    check_segments(cu_seqlens, total)
    if dtype != torch.bool and not dtype.is_floating_point:
        raise InputError(f"dtype must be bool or a floating point type, got {dtype}")
    bounds = cu_seqlens.contiguous() if isolate else _one_segment(cu_seqlens, total)
    mask: Tensor = _dense_mask(bounds, total, dtype, choose_twin(backend, cu_seqlens))
    return mask[None, None]


def _one_segment(cu_seqlens: Tensor, total: int) -> Tensor:
    # Made on the device: a copy to it would wait.
    return torch.arange(2, dtype=torch.int32, device=cu_seqlens.device) * total


def _sees(position_ids: Tensor) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """Returns the rule of the mask by a query's position: it sees that many keys before it."""

    def mask_mod(_batch: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (key <= query) & (query - key <= position_ids[query])

    return mask_mod


@custom_op("packkit::pack_tokens", mutates_args=())
def _pack_tokens(
    cu_seqlens: Tensor, labels: Tensor, num_segments: int, backend: str
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    check_cu_seqlens(cu_seqlens, len(labels))
    outputs: tuple[Tensor, Tensor, Tensor, Tensor] = twin(backend).pack_tokens(
        cu_seqlens, labels, num_segments
    )
    return outputs


@_pack_tokens.register_fake
def _(
    cu_seqlens: Tensor, labels: Tensor, num_segments: int, backend: str
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    segment_ids = torch.empty_like(labels, dtype=torch.int32)
    return torch.empty_like(labels), segment_ids, torch.empty_like(labels), labels.new_empty(())


@custom_op("packkit::block_ranges", mutates_args=())
def _block_ranges(
    cu_seqlens: Tensor, total: int, block_size: int, backend: str
) -> tuple[Tensor, Tensor, Tensor]:
    check_cu_seqlens(cu_seqlens, total)
    ranges: tuple[Tensor, Tensor, Tensor] = twin(backend).block_ranges(
        cu_seqlens, total, block_size
    )
    return ranges


@_block_ranges.register_fake
def _(
    cu_seqlens: Tensor, total: int, block_size: int, backend: str
) -> tuple[Tensor, Tensor, Tensor]:
    blocks = (total + block_size - 1) // block_size
    counts, indices = cu_seqlens.new_empty((4, blocks)), cu_seqlens.new_empty((4, blocks, blocks))
    return counts, indices, cu_seqlens.new_empty(total)


@custom_op("packkit::dense_mask", mutates_args=())
def _dense_mask(cu_seqlens: Tensor, total: int, dtype: torch.dtype, backend: str) -> Tensor:
    check_cu_seqlens(cu_seqlens, total)
    mask: Tensor = twin(backend).dense_mask(cu_seqlens, total, dtype)
    return mask


@_dense_mask.register_fake
def _(cu_seqlens: Tensor, total: int, dtype: torch.dtype, backend: str) -> Tensor:
    return cu_seqlens.new_empty((total, total), dtype=dtype)
