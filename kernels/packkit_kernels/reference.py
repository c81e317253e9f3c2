"""The operations of `packkit_kernels.varlen` in plain torch.

Each is the twin of a Triton launcher with the same name and signature: its oracle in tests, what
runs on a CPU, and what benchmarks compare with. All are exact or computed in float32, and run on
any device without waiting for it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_IGNORED = -100


def pack_tokens(
    cu_seqlens: Tensor, labels: Tensor, num_segments: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Returns position, segment and target of every token, and the number of targets.

    Args:
        cu_seqlens: int32 [N+1], where each segment begins; the last entry is T.
        labels: int64 [T], unshifted; -100 where a token is not trained.
        num_segments: How many segments, from the first, are samples; the rest is padding.

    Returns:
        ``position_ids`` int64 [T], ``segment_ids`` int32 [T], ``targets`` int64 [T] and
        ``num_targets`` int64 [].
    """
    lengths, total = cu_seqlens.diff(), len(labels)
    numbers = torch.arange(1, len(cu_seqlens), dtype=torch.int32, device=labels.device)
    segment = numbers.repeat_interleave(lengths, output_size=total)
    position_ids = torch.arange(total, device=labels.device) - segment_starts(cu_seqlens, total)
    # A segment's last token predicts nothing: the next one begins another segment.
    targets = labels.roll(-1)
    targets[-1:] = _IGNORED
    targets[:-1].masked_fill_(segment[1:] != segment[:-1], _IGNORED)
    segment_ids = segment.masked_fill(segment > num_segments, 0)
    return position_ids, segment_ids, targets, (targets != _IGNORED).sum()


def segment_starts(cu_seqlens: Tensor, total: int) -> Tensor:
    """Returns int32 [T], the first token of the segment of each token."""
    return cu_seqlens[:-1].repeat_interleave(cu_seqlens.diff(), output_size=total)


def block_ranges(cu_seqlens: Tensor, total: int, block_size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Returns which blocks a block-diagonal causal mask touches and which it fills.

    A query q sees the keys from start(q), where its segment starts, to q. Neither start nor the end
    of a segment ever falls along the tokens. So, of block row r with first and last query a and z:

    - it touches the blocks from that of start(a) to r;
    - of these it fills those that begin at or after start(z) and end before r, none where r is
      cut short by the end of the tokens.

    Of block column c with first and last key a and z:

    - it is touched by the rows from c to that of the last token of z's segment;
    - of these it is filled by the rows after c that end within a's segment.

    Each row of `indices` holds the blocks of its set in rising order, then all others in rising
    order, as `torch.nn.attention.flex_attention.create_block_mask` makes them.

    Args:
        cu_seqlens: int32 [N+1], where each segment begins; the last entry is T.
        total: Number of tokens, T, at least 1.
        block_size: Tokens of a block, at least 2.

    Returns:
        ``counts`` int32 [4, B], ``indices`` int32 [4, B, B] and ``position_ids`` int32 [T], for
        B = ceil(T / block_size). The four are partial blocks of keys, full blocks of keys, partial
        blocks of queries, full blocks of queries.
    """
    tokens = torch.arange(total, dtype=torch.int32, device=cu_seqlens.device)
    blocks = -(-total // block_size)
    place = tokens[:blocks]
    firsts = place * block_size
    edges = torch.stack([firsts, (firsts + (block_size - 1)).clamp_(max=total - 1)])
    segment = torch.searchsorted(cu_seqlens[1:], edges, right=True)
    # Of first tokens the block that a bound lies in, of last tokens the one that begins there.
    bounds = cu_seqlens[torch.stack([segment, segment + 1])]
    bounds[:, 1] += block_size - 1
    (touched, full), (end_full, after_touched) = bounds.floor_divide_(block_size)
    full = torch.minimum(full, place)
    if total % block_size:
        full[-1] = blocks - 1
    after = place + 1
    after_full = torch.maximum(end_full, after)
    counts, indices = _ordered(
        torch.stack([touched, full, place, after]),
        torch.stack([full, place, after, after_full]),
        torch.stack([place, place, after_full, after_full]),
        torch.stack([after, place, after_touched, after_full]),
        place,
    )
    return counts, indices, tokens - segment_starts(cu_seqlens, total)


def _ordered(
    a0: Tensor, a1: Tensor, b0: Tensor, b1: Tensor, place: Tensor
) -> tuple[Tensor, Tensor]:
    """Returns the sizes of [a0, a1) and [b0, b1) together; their blocks, then all others.

    That is five runs of consecutive blocks a row: the two ranges, then what lies before, between
    and after them. A run stands some way off the places its blocks would have in rising order.

    Args:
        a0: int32 [4, B], a bound of every row of the four sets, as are a1, b0 and b1; a1 <= b0.
        a1: See `a0`.
        b0: See `a0`.
        b1: See `a0`.
        place: int32 [B], 0 to B-1.
    """
    blocks = len(place)
    first, between = a1 - a0, b0 - a1
    both = first + (b1 - b0)
    sizes = torch.stack([first, b1 - b0, a0, between, blocks - b1], dim=-1)
    shifts = torch.stack([a0, b0 - first, -both, first - both, torch.zeros_like(a0)], dim=-1)
    shift = shifts.view(-1).repeat_interleave(sizes.view(-1), output_size=4 * blocks * blocks)
    return both, shift.view(4, blocks, blocks).add_(place)


def dense_mask(cu_seqlens: Tensor, total: int, dtype: torch.dtype) -> Tensor:
    """Returns the whole block-diagonal causal mask.

    Args:
        cu_seqlens: int32 [N+1], where each segment begins; the last entry is T.
        total: Number of tokens, T.
        dtype: bool, or a floating point type for a mask that is added to scores.

    Returns:
        [T, T], queries by keys: True where a query sees a key; or 0 there and the lowest number of
        the type elsewhere.
    """
    tokens = torch.arange(total, device=cu_seqlens.device)
    starts = segment_starts(cu_seqlens, total)
    sees = (tokens <= tokens[:, None]) & (tokens >= starts[:, None])
    if dtype == torch.bool:
        return sees
    mask = torch.zeros(total, total, dtype=dtype, device=cu_seqlens.device)
    return mask.masked_fill_(~sees, torch.finfo(dtype).min)


def feature_rows(image_slots: Tensor, total: int) -> Tensor:
    """Returns which row of the image features each token takes.

    Args:
        image_slots: int32 [M, 2], first token and number of tokens of each image, in order.
        total: Number of tokens, T.

    Returns:
        int32 [T], -1 for a token of text.
    """
    rows = torch.full((total,), -1, dtype=torch.int32, device=image_slots.device)
    if not len(image_slots):
        return rows
    starts, counts = image_slots.T.contiguous()
    tokens = torch.arange(total, dtype=torch.int32, device=image_slots.device)
    image = torch.searchsorted(starts, tokens, right=True).sub_(1).clamp_(min=0)
    place = tokens - starts[image]
    is_in_slot = (place >= 0) & (place < counts[image])
    return torch.where(is_in_slot, slot_offsets(image_slots)[image] + place, rows)


def slot_offsets(image_slots: Tensor) -> Tensor:
    """Returns int32 [M], the row of the features at which each image begins."""
    counts = image_slots[:, 1]
    return counts.cumsum(0, dtype=torch.int32) - counts


def gather_rows(input_ids: Tensor, embedding: Tensor, features: Tensor, rows: Tensor) -> Tensor:
    """Returns token embeddings with image features in their slots.

    Args:
        input_ids: int64 [T], token ids.
        embedding: Floating point [V, D], the table.
        features: Floating point [K, D], converted to the type of the table.
        rows: int32 [T], which row of `features` a token takes; -1 for one of the table.

    Returns:
        [T, D].
    """
    is_text = (rows < 0)[:, None]
    text = functional.embedding(input_ids.where(rows < 0, 0), embedding)
    if not len(features):
        return text
    return torch.where(is_text, text, features[rows.clamp(min=0)].to(embedding.dtype))


def scatter_rows(grad: Tensor, rows: Tensor, num_rows: int, dtype: torch.dtype) -> Tensor:
    """Returns the gradient of `gather_rows` for its features.

    Args:
        grad: Floating point [T, D], gradient of the output.
        rows: int32 [T], no row twice; -1 for a token of text.
        num_rows: Number of rows of the features, K.
        dtype: Type of the features.

    Returns:
        [K, D]; rows that no token takes are 0.
    """
    # Text goes into a row of its own, which is cut off: no number of rows need be known here.
    padded = torch.zeros(num_rows + 1, grad.shape[1], dtype=dtype, device=grad.device)
    padded[rows.where(rows >= 0, num_rows)] = grad.to(dtype)
    return padded[:num_rows].contiguous()


def embedding_gradient(grad: Tensor, input_ids: Tensor, rows: Tensor, vocabulary: int) -> Tensor:
    """Returns the gradient of `gather_rows` for the table, added up in the order of the tokens.

    Args:
        grad: Floating point [T, D], gradient of the output.
        input_ids: int64 [T], token ids.
        rows: int32 [T], -1 for a token of text.
        vocabulary: Number of rows of the table, V.

    Returns:
        [V, D], float32 inside where `grad` is on a CPU; torch adds so on a GPU by itself.
    """
    # Images go into a row of their own as padding, which torch leaves out.
    ids = input_ids.where(rows < 0, vocabulary)
    summed = grad.float() if grad.device.type == "cpu" else grad
    table = torch.ops.aten.embedding_dense_backward(summed, ids, vocabulary + 1, vocabulary, False)
    gradient: Tensor = table[:vocabulary].to(grad.dtype)
    return gradient


def pool_image_tokens(features: Tensor, side: int, target: int) -> Tensor:
    """Returns image tokens averaged over overlapping cells of a square grid.

    Args:
        features: Floating point [M, side², C], rows of the grid one after another.
        side: Tokens along an edge of the grid given.
        target: Tokens along an edge of the grid returned.

    Returns:
        [M, target², C], as `torch.nn.functional.adaptive_avg_pool2d` makes them.
    """
    grid = features.float().transpose(1, 2).reshape(len(features), -1, side, side)
    pooled = functional.adaptive_avg_pool2d(grid, target)
    return pooled.flatten(2).transpose(1, 2).to(features.dtype).contiguous()


def pool_gradient(grad: Tensor, side: int, target: int) -> Tensor:
    """Returns the gradient of `pool_image_tokens`, as two products of matrices.

    Pooling is linear and the same along both edges. The products add in a fixed order, where the
    gradient that torch has adds in any order on a GPU.

    Args:
        grad: Floating point [M, target², C], gradient of the output.
        side: Tokens along an edge of the grid that was pooled.
        target: Tokens along an edge of the grid it was pooled to.

    Returns:
        [M, side², C].
    """
    identity = torch.eye(side, device=grad.device)
    weights = functional.adaptive_avg_pool1d(identity, target)
    grid = grad.float().reshape(len(grad), target, target, -1)
    spread = torch.einsum("hi,wj,mijc->mhwc", weights, weights, grid)
    return spread.flatten(1, 2).to(grad.dtype).contiguous()


def normalize_pixels(pixels: Tensor, dtype: torch.dtype) -> Tensor:
    """Returns pixels as SigLIP takes them: (x / 255 - 0.5) / 0.5, rounded once.

    Args:
        pixels: uint8, any shape.
        dtype: Type of the result.
    """
    # By a tensor: by a Python number torch multiplies with the reciprocal on a GPU, one ulp off.
    centred = pixels.float().sub_(127.5)
    return centred.div_(centred.new_full((), 127.5)).to(dtype)
