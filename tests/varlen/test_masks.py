"""Positions, targets and masks: against naive loops, torch's own block mask, and the kernels."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.nn.attention.flex_attention import create_block_mask
from varlen_cases import ODD_TOTALS, cu_seqlens_of, segment_lengths

from packkit.base.errors import InputError
from packkit.varlen import block_mask, dense_mask, pack_tokens

BLOCK_TENSORS = [
    f"{full}{side}_{what}"
    for full in ("", "full_")
    for side in ("kv", "q")
    for what in ("num_blocks", "indices")
]
LONG = [1] * 50 + [1000, 1, 63, 111, 2000] + [6] * 145


def labels_for(total, seed):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(np.where(rng.random(total) < 0.3, -100, rng.integers(0, 9, total)))


def packed_naively(lengths, labels, real):
    """Position, segment and target of each token, one at a time."""
    rows, start = [], 0
    for number, length in enumerate(lengths, 1):
        for place in range(length):
            has_next = place + 1 < length
            target = int(labels[start + place + 1]) if has_next else -100
            rows.append((place, number if number <= real else 0, target))
        start += length
    return [list(column) for column in zip(*rows, strict=True)]


@settings(deadline=None, max_examples=200)
@given(segment_lengths(), st.integers(0, 9), st.data())
def test_tokens_are_packed_as_by_hand(lengths, seed, data):
    labels = labels_for(sum(lengths), seed)
    real = data.draw(st.integers(0, len(lengths)))
    packed = pack_tokens(cu_seqlens_of(lengths), labels, real)
    assert [column.tolist() for column in packed[:3]] == packed_naively(lengths, labels, real)
    assert int(packed.num_targets) == sum(target != -100 for target in packed.targets.tolist())


@settings(deadline=None, max_examples=40)
@given(segment_lengths(), st.integers(0, 9), st.integers(0, 200))
@example([4095], 0, 1)
@example(LONG, 1, 200)
def test_pack_tokens_kernel_equals_its_twin(device, lengths, seed, real):
    inputs = cu_seqlens_of(lengths).to(device), labels_for(sum(lengths), seed).to(device), real
    by_triton = pack_tokens(*inputs, backend="triton")
    for ours, theirs in zip(by_triton, pack_tokens(*inputs, backend="reference"), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def block_mask_of_torch(lengths, block_size):
    segment = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))

    def sees(_batch, _head, query, key):
        return (query >= key) & (segment[query] == segment[key])

    total = sum(lengths)
    return create_block_mask(sees, 1, 1, total, total, device="cpu", BLOCK_SIZE=block_size)


def assert_same_blocks(made, expected):
    assert made.shape == expected.shape
    assert made.BLOCK_SIZE == expected.BLOCK_SIZE
    for name in BLOCK_TENSORS:
        ours, theirs = getattr(made, name), getattr(expected, name)
        assert ours.is_contiguous()
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0, msg=lambda text: f"{name}: {text}")  # noqa: B023


@settings(deadline=None, max_examples=250)
@given(segment_lengths(longest=300), st.sampled_from([16, 32, 64, 128]))
@example([4095], 128)
@example(LONG, 128)
def test_block_mask_is_that_of_torch(lengths, block_size):
    made = block_mask(cu_seqlens_of(lengths), sum(lengths), block_size)
    assert_same_blocks(made, block_mask_of_torch(lengths, block_size))


@settings(deadline=None, max_examples=25)
@given(segment_lengths(longest=60), st.sampled_from([16, 48, 128]))
@example([4095], 128)
@example(LONG, 128)
def test_block_mask_kernel_equals_its_twin(device, lengths, block_size):
    inputs = cu_seqlens_of(lengths).to(device), sum(lengths), block_size
    by_triton, expected = (block_mask(*inputs, backend=name) for name in ("triton", "reference"))
    assert_same_blocks(by_triton, expected)
    tokens = torch.arange(sum(lengths), device=device)
    for query in (tokens, tokens.flip(0)):
        ours, theirs = (mask.mask_mod(0, 0, query, tokens) for mask in (by_triton, expected))
        assert torch.equal(ours, theirs)


@given(segment_lengths())
@settings(deadline=None, max_examples=50)
def test_rule_and_dense_mask_are_those_of_the_segments(lengths):
    total, cu_seqlens = sum(lengths), cu_seqlens_of(lengths)
    segment = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))
    tokens = torch.arange(total)
    expected = (segment[:, None] == segment) & (tokens[:, None] >= tokens)
    rule = block_mask(cu_seqlens, total).mask_mod
    assert torch.equal(rule(0, 0, tokens[:, None], tokens), expected)
    assert torch.equal(dense_mask(cu_seqlens, total)[0, 0], expected)
    added = dense_mask(cu_seqlens, total, torch.bfloat16)[0, 0]
    assert torch.equal(added == 0, expected)
    assert (added[~expected] == torch.finfo(torch.bfloat16).min).all()


@pytest.mark.parametrize("total", ODD_TOTALS)
def test_not_isolated_is_plainly_causal(total):
    cu_seqlens = cu_seqlens_of([1] * total)
    causal = torch.ones(total, total, dtype=torch.bool).tril()
    assert torch.equal(dense_mask(cu_seqlens, total, isolate=False)[0, 0], causal)
    made = block_mask(cu_seqlens, total, 32, isolate=False)
    assert_same_blocks(made, block_mask_of_torch([total], 32))


@settings(deadline=None, max_examples=20)
@given(segment_lengths(longest=30, most=60), st.sampled_from([torch.bool, torch.float32, "bf16"]))
def test_dense_mask_kernel_equals_its_twin(device, lengths, dtype):
    dtype = torch.bfloat16 if dtype == "bf16" else dtype
    inputs = cu_seqlens_of(lengths).to(device), sum(lengths), dtype
    by_triton, expected = (dense_mask(*inputs, backend=name) for name in ("triton", "reference"))
    torch.testing.assert_close(by_triton, expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("cu_seqlens", "total", "message"),
    [
        ([0, 3, 5], 6, "cu_seqlens must go from 0 to 6 tokens, goes from 0 to 5"),
        ([1, 6], 6, "cu_seqlens must go from 0 to 6 tokens, goes from 1 to 6"),
        ([0, 4, 2, 6], 6, "cu_seqlens must never fall, got 4 at 1 and 2 after it"),
        ([0], 6, "cu_seqlens must have at least 2 entries, got 1"),
        ([0, 0], 0, "total must be at least 1 token, got 0"),
        ([0, 5], 2**31, "total must be at most 2147483647 tokens, got 2147483648"),
    ],
)
def test_segments_that_are_none_are_refused(cu_seqlens, total, message):
    bounds = torch.tensor(cu_seqlens, dtype=torch.int32)
    for call in (
        lambda: block_mask(bounds, total),
        lambda: dense_mask(bounds, total),
        lambda: pack_tokens(bounds, torch.zeros(total, dtype=torch.int64)),
    ):
        with pytest.raises(InputError) as caught:
            call()
        assert str(caught.value) == message


def test_other_arguments_that_are_wrong_are_refused():
    bounds, labels = cu_seqlens_of([2]), torch.zeros(2, dtype=torch.int64)
    with pytest.raises(InputError, match=r"cu_seqlens must be torch\.int32 .* got torch\.int64"):
        pack_tokens(bounds.long(), labels)
    with pytest.raises(InputError, match=r"labels must be torch\.int64 .* got torch\.int32"):
        pack_tokens(bounds, labels.int())
    with pytest.raises(InputError, match="block_size must be a multiple of 16 tokens, got 100"):
        block_mask(bounds, 2, 100)
    with pytest.raises(InputError, match="dtype must be bool or a floating point type"):
        dense_mask(bounds, 2, torch.int8)
