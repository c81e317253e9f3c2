"""What only a GPU can show: `make test-gpu` runs this, and the kernels' other tests on the GPU."""

import inspect

import pytest
import torch
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

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]

LENGTHS = [17, 600, 1, 1300, 130, 900, 1148]
TOTAL, HEADS, KEY_HEADS, CHANNELS = 4096, 8, 4, 64
SLOTS = [(3, 144), (700, 144), (2000, 729)]


@pytest.fixture(autouse=True)
def poisoned_memory():
    """Torch is not told to be deterministic here: its attention cannot, and ours must be anyway."""


@pytest.fixture
def heads():
    """Queries, keys and values bf16 [1, heads, T, channels], and a gradient for the output."""
    made = torch.Generator("cuda").manual_seed(0)
    shapes = (HEADS, KEY_HEADS, KEY_HEADS, HEADS)
    return [
        torch.randn(1, count, TOTAL, CHANNELS, generator=made, device="cuda").bfloat16()
        for count in shapes
    ]


def by_sdpa_alone(query, key, value):
    """Each segment by itself: what all others must equal."""
    parts = (heads.split(LENGTHS, dim=2) for heads in (query, key, value))
    return torch.cat(
        [
            scaled_dot_product_attention(*part, is_causal=True, enable_gqa=True)
            for part in zip(*parts, strict=True)
        ],
        dim=2,
    )


def by_sdpa(query, key, value):
    mask = dense_mask(cu_seqlens_of(LENGTHS).cuda(), TOTAL)
    return scaled_dot_product_attention(query, key, value, attn_mask=mask, enable_gqa=True)


def by_flex_attention(query, key, value):
    mask = block_mask(cu_seqlens_of(LENGTHS).cuda(), TOTAL)
    return torch.compile(flex_attention)(query, key, value, block_mask=mask, enable_gqa=True)


def by_varlen_attn(query, key, value):
    from torch.nn.attention.varlen import varlen_attn

    bounds, options = cu_seqlens_of(LENGTHS).cuda(), {"window_size": (-1, 0)}
    if "enable_gqa" in inspect.signature(varlen_attn).parameters:
        options["enable_gqa"] = True
    else:
        # Torch 2.11 wants as many key heads as query heads.
        key, value = (heads.repeat_interleave(HEADS // KEY_HEADS, 1) for heads in (key, value))
    rows = (heads[0].transpose(0, 1).contiguous() for heads in (query, key, value))
    out = varlen_attn(*rows, bounds, bounds, max(LENGTHS), max(LENGTHS), **options)
    return out.transpose(0, 1)[None]


def relative_error(computed, expected):
    return (computed.float() - expected.float()).norm() / expected.float().norm()


@pytest.mark.parametrize("attention", [by_sdpa, by_flex_attention, by_varlen_attn])
def test_attention_over_a_pack_is_that_of_each_sample(heads, attention):
    *inputs, weights = heads
    leaves = [tensor.requires_grad_() for tensor in inputs]
    outs = attention(*leaves), by_sdpa_alone(*leaves)
    assert relative_error(*outs) < 1e-2
    gradients = (torch.autograd.grad(out, leaves, weights) for out in outs)
    for computed, expected in zip(*gradients, strict=True):
        assert relative_error(computed, expected) < 2e-2


@pytest.fixture
def splice_inputs():
    made = torch.Generator("cuda").manual_seed(0)
    table = torch.randn(1000, 256, generator=made, device="cuda").bfloat16().requires_grad_()
    rows = sum(count for _, count in SLOTS)
    features = torch.randn(rows, 256, generator=made, device="cuda").bfloat16().requires_grad_()
    ids = torch.randint(0, 1000, (TOTAL,), generator=made, device="cuda")
    return ids, table, features, torch.tensor(SLOTS, dtype=torch.int32, device="cuda")


def test_gradients_of_a_splice_are_the_same_bits_in_every_run(splice_inputs):
    leaves = splice_inputs[1:3]
    weights = torch.randn(TOTAL, 256, device="cuda").bfloat16()
    first, *others = [
        torch.autograd.grad(splice_image_tokens(*splice_inputs), leaves, weights) for _ in range(10)
    ]
    for other in others:
        assert all(torch.equal(*pair) for pair in zip(first, other, strict=True))


def test_nothing_waits_for_the_device(splice_inputs):
    bounds = cu_seqlens_of(LENGTHS).cuda()
    labels = torch.zeros(TOTAL, dtype=torch.int64, device="cuda")
    vision = torch.randn(2, 729, 64, device="cuda", requires_grad=True)
    pixels = torch.zeros(2, 3, 384, 384, dtype=torch.uint8, device="cuda")

    def step():
        pack_tokens(bounds, labels)
        block_mask(bounds, TOTAL)
        block_mask(bounds, TOTAL, isolate=False)
        dense_mask(bounds, TOTAL)
        normalize_pixels(pixels)
        pool_image_tokens(vision).sum().backward()
        splice_image_tokens(*splice_inputs).sum().backward()

    step()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
