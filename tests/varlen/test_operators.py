"""The operations as torch's custom operators: in compiled code and under torch's own checks."""

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend
from torch.nn.attention.flex_attention import flex_attention
from torch.nn.functional import scaled_dot_product_attention
from varlen_cases import cu_seqlens_of

from packkit.varlen import (
    block_mask,
    dense_mask,
    normalize_pixels,
    pack_tokens,
    pool_image_tokens,
    splice_image_tokens,
)
from packkit.varlen import images as image_operators
from packkit.varlen import masks as mask_operators

BOUNDS, LABELS = cu_seqlens_of([3, 1, 5]), torch.arange(9)
SLOTS = torch.tensor([[1, 2], [4, 1]], dtype=torch.int32)
ROWS = torch.tensor([-1, 0, 1, -1, 2, -1, -1, -1, -1], dtype=torch.int32)
PIXELS = torch.arange(12, dtype=torch.uint8).view(1, 3, 2, 2)


def table():
    return torch.randn(10, 4, requires_grad=True)


def features():
    return torch.randn(3, 4, requires_grad=True)


OPERATORS = {
    "pack_tokens": lambda: (mask_operators._pack_tokens, BOUNDS, LABELS, 2),
    "block_ranges": lambda: (mask_operators._block_ranges, BOUNDS, 9, 16),
    "dense_mask": lambda: (mask_operators._dense_mask, BOUNDS, 9, torch.bool),
    "feature_rows": lambda: (image_operators._feature_rows, SLOTS, 9, 3),
    "splice": lambda: (image_operators._splice, LABELS, table(), features(), ROWS),
    "feature_gradient": lambda: (
        image_operators._feature_gradient,
        torch.randn(9, 4),
        ROWS,
        3,
        torch.float32,
    ),
    "pool": lambda: (image_operators._pool, torch.randn(2, 9, 3, requires_grad=True), 3, 2),
    "normalize": lambda: (image_operators._normalize, PIXELS, torch.float32),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operator_keeps_torchs_rules(name):
    """Schema, fake implementation and autograd, with static and dynamic shapes."""
    operator, *arguments = OPERATORS[name]()
    torch.library.opcheck(operator, (*arguments, "reference"))


def test_embedding_gradient_keeps_torchs_rules():
    arguments = torch.randn(9, 4), LABELS, ROWS, 10
    torch.library.opcheck(image_operators._embedding_gradient, arguments)


def step(ids, labels, cu_seqlens, weight, vision, slots, pixels):
    """What a training step does with them, less the model."""
    packed = pack_tokens(cu_seqlens, labels, 3)
    pooled = pool_image_tokens(vision, 4).flatten(0, 1)[:3]
    embedded = splice_image_tokens(ids, weight, pooled, slots)
    scores = (embedded @ embedded.T).masked_fill(~dense_mask(cu_seqlens, 9)[0, 0], 0)
    brightness = normalize_pixels(pixels, torch.float32).mean()
    return (scores.sum(1) * packed.targets * packed.position_ids).sum() * brightness


def test_a_compiled_step_is_the_same_and_is_compiled_once():
    weight = torch.randn(10, 4, requires_grad=True)
    vision = torch.randn(2, 9, 4, requires_grad=True)
    counter = CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(step, backend=counter, fullgraph=True)
    for lengths in ([3, 1, 5], [1, 1, 7], [4, 4, 1]):
        inputs = LABELS, LABELS, cu_seqlens_of(lengths), weight, vision, SLOTS, PIXELS
        expected = torch.autograd.grad(step(*inputs), (weight, vision))
        by_compiled = torch.autograd.grad(compiled(*inputs), (weight, vision))
        torch.testing.assert_close(by_compiled, expected)
    assert counter.frame_count == 1


def test_compiled_attention_is_compiled_once_for_packs_of_any_segments():
    counter = CompileCounterWithBackend("aot_eager")
    attend = torch.compile(flex_attention, backend=counter, fullgraph=True)
    query, key, value = torch.randn(3, 1, 2, 300, 16)
    for lengths in ([300], [1] * 300, [100, 199, 1]):
        bounds = cu_seqlens_of(lengths)
        attended = attend(query, key, value, block_mask=block_mask(bounds, 300))
        expected = scaled_dot_product_attention(query, key, value, dense_mask(bounds, 300))
        torch.testing.assert_close(attended, expected)
    assert counter.frame_count == 1


def test_shapes_do_not_depend_on_the_number_of_segments():
    """So a compiled model meets the same block mask shapes from pack to pack."""
    shapes = {
        tuple(
            part.shape
            for part in block_mask(cu_seqlens_of(lengths), 300).as_tuple()
            if isinstance(part, torch.Tensor)
        )
        for lengths in ([300], [1] * 300, [100, 199, 1])
    }
    assert [len(shape) for shape in shapes] == [8]
