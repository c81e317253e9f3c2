"""Which attention is chosen, and what it is given."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from packkit.training.attention import attention_inputs, choose_attention
from packkit.varlen import dense_mask

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("asked", "device", "dtype", "chosen"),
    [
        ("auto", CPU, torch.float32, "packkit_varlen"),
        ("auto", CPU, torch.bfloat16, "packkit_varlen"),
        ("auto", CUDA, torch.bfloat16, "packkit_varlen"),
        # varlen_attn takes 16 bits alone.
        ("auto", CUDA, torch.float32, "sdpa"),
        ("flex", CUDA, torch.bfloat16, "flex_attention"),
        ("sdpa", CPU, torch.float32, "sdpa"),
    ],
)
def test_the_attention_fits_the_device(asked, device, dtype, chosen):
    assert choose_attention(asked, device, dtype) == chosen


@given(st.lists(st.integers(1, 40), min_size=1, max_size=8), st.booleans(), st.data())
def test_attention_in_turn_is_that_under_the_dense_mask(lengths, is_grouped, data):
    seed, total = data.draw(st.integers(0, 99)), sum(lengths)
    made = torch.Generator().manual_seed(seed)
    bounds = torch.tensor([0, *lengths]).cumsum(0).int()
    query = torch.randn(1, 4, total, 8, generator=made)
    key, value = torch.randn(2, 1, 2 if is_grouped else 4, total, 8, generator=made)
    attend = AttentionInterface()["packkit_varlen"]
    output, weights = attend(
        None, query, key, value, None, scaling=0.3, cu_seqlens=bounds, max_seqlen=max(lengths)
    )
    expected = scaled_dot_product_attention(
        query, key, value, attn_mask=dense_mask(bounds, total), scale=0.3, enable_gqa=True
    )
    assert weights is None
    torch.testing.assert_close(output, expected.transpose(1, 2), rtol=0, atol=1e-5)


@pytest.mark.parametrize("implementation", ["packkit_varlen", "sdpa", "flex_attention"])
def test_without_isolation_positions_run_on(batch_of, implementation):
    batch = batch_of(3, pad_to_multiple_of=64)
    inputs = attention_inputs(batch, implementation, isolate=False)
    assert inputs["position_ids"].tolist() == [list(range(batch.tokens))]
    assert inputs["use_cache"] is False
    apart = attention_inputs(batch, implementation, isolate=True)
    assert torch.equal(apart["position_ids"][0], batch.position_ids)
