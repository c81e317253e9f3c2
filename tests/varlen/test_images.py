"""Pixels, pooling and splicing: against torch, Hugging Face, naive loops, and the kernels."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.nn.functional import adaptive_avg_pool2d
from varlen_cases import slots_in

from packkit.base.errors import InputError
from packkit.varlen import normalize_pixels, pool_image_tokens, splice_image_tokens

DTYPES = [torch.float32, torch.bfloat16]
# Half a step of the type: interpreted kernels cut off where a GPU rounds.
ONE_STEP = {torch.float32: 2e-7, torch.bfloat16: 2**-7, torch.float16: 2**-10}


@st.composite
def splices(draw, tokens=70):
    """Ids, slots and channels; the number of channels is odd, or more than a program takes."""
    total = draw(st.sampled_from([1, 63, 111]) | st.integers(1, tokens))
    return total, draw(slots_in(total)), draw(st.sampled_from([1, 5, 64])), draw(st.integers(0, 9))


def splice_inputs(case, dtype, device, vocabulary=11):
    total, slots, channels, seed = case
    made = torch.Generator().manual_seed(seed)
    rows = sum(count for _, count in slots)
    ids = torch.randint(0, vocabulary, (total,), generator=made)
    table = torch.randn(vocabulary, channels, generator=made)
    features = torch.randn(rows, channels, generator=made)
    slots = torch.tensor(slots, dtype=torch.int32).view(-1, 2)
    weights = torch.randn(total, channels, generator=made).to(device, dtype)
    floats = (tensor.to(device, dtype).requires_grad_() for tensor in (table, features))
    return ids.to(device), *floats, slots.to(device), weights


def spliced_naively(ids, table, features, slots):
    """Row after row, by autograd's own operations."""
    rows, used = list(table[ids]), 0
    for first, count in slots.tolist():
        rows[first : first + count] = features[used : used + count]
        used += count
    return torch.stack(rows)


def gradients(out, weights, *leaves):
    """Gradients of a weighted sum; of a leaf that is not used, zeros."""
    return torch.autograd.grad(
        (out * weights).sum(), leaves, allow_unused=True, materialize_grads=True
    )


@settings(deadline=None, max_examples=100)
@given(splices())
def test_spliced_as_by_hand(case):
    ids, table, features, slots, weights = splice_inputs(case, torch.float32, "cpu")
    spliced = splice_image_tokens(ids, table, features, slots)
    expected = spliced_naively(ids, table, features, slots)
    assert torch.equal(spliced, expected)
    for ours, theirs in zip(
        gradients(spliced, weights, table, features),
        gradients(expected, weights, table, features),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@settings(deadline=None, max_examples=30)
@given(splices(), st.sampled_from(DTYPES))
@example((5, [(0, 2), (2, 0), (2, 3)], 1030, 0), torch.bfloat16)
@example((111, [], 64, 1), torch.float32)
def test_splice_kernels_equal_their_twins(device, case, dtype):
    *inputs, weights = splice_inputs(case, dtype, device)
    spliced, expected = (
        splice_image_tokens(*inputs, backend=name) for name in ("triton", "reference")
    )
    assert torch.equal(spliced, expected)
    leaves = inputs[1:3]
    ours, theirs = gradients(spliced, weights, *leaves), gradients(expected, weights, *leaves)
    again = gradients(splice_image_tokens(*inputs, backend="triton"), weights, *leaves)
    for our_gradient, their_gradient, repeated in zip(ours, theirs, again, strict=True):
        torch.testing.assert_close(our_gradient, their_gradient, rtol=ONE_STEP[dtype], atol=0)
        assert torch.equal(our_gradient, repeated)


def test_features_of_another_type_are_converted_and_so_is_their_gradient(device):
    ids, table, features, slots, _ = splice_inputs((9, [(2, 4)], 8, 0), torch.float32, device)
    low = features.detach().bfloat16().requires_grad_()
    for backend in ("triton", "reference"):
        out = splice_image_tokens(ids, table, low, slots, backend=backend)
        assert out.dtype == torch.float32
        assert torch.equal(out[2:6], low.float())
        (grad,) = torch.autograd.grad(out.sum(), low)
        assert grad.dtype == torch.bfloat16
        assert (grad == 1).all()


def test_frozen_parts_get_no_gradient():
    ids, table, features, slots, _ = splice_inputs((9, [(2, 4)], 8, 0), torch.float32, "cpu")
    splice_image_tokens(ids, table.detach(), features, slots).sum().backward()
    assert table.grad is None
    assert features.grad is not None


def test_kernel_marks_what_is_not_there(device):
    """On a GPU nobody looks at ids beforehand: a row that is not there must show in the loss."""
    from packkit_kernels import varlen

    table, features = torch.ones(4, 3, device=device), torch.ones(2, 3, device=device)
    ids = torch.tensor([0, 4, -1, 3, 0], device=device)
    rows = torch.tensor([-1, -1, -1, 2, 1], dtype=torch.int32, device=device)
    gathered = varlen.gather_rows(ids, table, features, rows)
    assert gathered.isnan().all(1).tolist() == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("slots", "features", "message"),
    [
        ([[0, 2], [1, 2]], 4, r"image_slots\[1\] must lie in tokens 2 to 6, .* 2 tokens from 1"),
        ([[4, 3]], 3, r"image_slots\[0\] must lie in tokens 0 to 6, .* got 3 tokens from 4"),
        ([[0, 2]], 3, "a row for each of the 2 image tokens of image_slots, got 3"),
    ],
)
def test_slots_that_do_not_fit_are_refused(slots, features, message):
    ids, table = torch.zeros(6, dtype=torch.int64), torch.zeros(4, 3)
    slots = torch.tensor(slots, dtype=torch.int32)
    with pytest.raises(InputError, match=message):
        splice_image_tokens(ids, table, torch.zeros(features, 3), slots)


def test_ids_without_a_row_are_refused_but_in_slots():
    table, slots = torch.zeros(4, 3), torch.tensor([[0, 1]], dtype=torch.int32)
    splice_image_tokens(torch.tensor([99, 3]), table, torch.zeros(1, 3), slots)
    with pytest.raises(InputError, match=r"input_ids\[1\] must be in 0\.\.3, got 4"):
        splice_image_tokens(torch.tensor([0, 4]), table, torch.zeros(1, 3), slots)


def pooled_by_torch(features, side, target):
    grid = features.transpose(1, 2).unflatten(2, (side, side))
    return adaptive_avg_pool2d(grid, target).flatten(2).transpose(1, 2)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 30), st.data())
@example(27, None)
def test_pooled_as_torch_pools_and_so_is_the_gradient(side, data):
    target = data.draw(st.integers(1, side)) if data else 12
    made = torch.Generator().manual_seed(side)
    features = torch.randn(2, side * side, 3, generator=made, requires_grad=True)
    pooled = pool_image_tokens(features, target * target)
    expected = pooled_by_torch(features, side, target)
    torch.testing.assert_close(pooled, expected)
    weights = torch.randn(pooled.shape, generator=made)
    (ours,), (theirs,) = (gradients(output, weights, features) for output in (pooled, expected))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("images", "side", "target", "channels"), [(1, 27, 12, 5), (2, 9, 4, 520), (3, 7, 1, 1)]
)
def test_pool_kernel_equals_its_twin(device, images, side, target, channels, dtype):
    made = torch.Generator().manual_seed(0)
    features = torch.randn(images, side * side, channels, generator=made).to(device, dtype)
    pooled, expected = (
        pool_image_tokens(features, target * target, backend=name)
        for name in ("triton", "reference")
    )
    torch.testing.assert_close(pooled, expected, rtol=ONE_STEP[dtype] * 4, atol=1e-6)


def test_grids_that_are_none_are_refused():
    features = torch.zeros(1, 9, 2)
    with pytest.raises(InputError, match="tokens must be a square number of tokens, got 5"):
        pool_image_tokens(features, 5)
    with pytest.raises(InputError, match="tokens must be at most 9, those of an image, got 16"):
        pool_image_tokens(features, 16)
    with pytest.raises(InputError, match=r"features\.shape\[1\] must be a square .* got 8"):
        pool_image_tokens(features[:, :8], 4)
    assert pool_image_tokens(features, 9) is features


def test_normalised_as_hugging_face_does():
    from transformers import SiglipImageProcessorPil

    every = torch.arange(256, dtype=torch.uint8).view(1, 16, 16).repeat(3, 1, 1)
    processor = SiglipImageProcessorPil(do_resize=False)
    (expected,) = processor(every.numpy(), input_data_format="channels_first")["pixel_values"]
    normalized = normalize_pixels(every, torch.float32)
    np.testing.assert_allclose(normalized.numpy(), expected, rtol=0, atol=1e-7)
    for dtype in (torch.bfloat16, torch.float16):
        assert torch.equal(normalize_pixels(every, dtype), normalized.to(dtype))


@pytest.mark.parametrize("dtype", ONE_STEP)
@pytest.mark.parametrize("shape", [(1, 3, 27, 27), (0, 3, 8, 8), (2, 3, 32, 32)])
def test_normalize_kernel_equals_its_twin(device, shape, dtype):
    made = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, shape, generator=made, dtype=torch.uint8).to(device)
    normalized, expected = (
        normalize_pixels(pixels, dtype, backend=name) for name in ("triton", "reference")
    )
    exact = dtype != torch.bfloat16 or device == "cuda"
    torch.testing.assert_close(normalized, expected, rtol=0 if exact else ONE_STEP[dtype], atol=0)


def test_pixels_that_are_none_are_refused():
    with pytest.raises(InputError, match=r"pixels must be torch\.uint8, got torch\.float32"):
        normalize_pixels(torch.zeros(3))
    with pytest.raises(InputError, match="dtype must be bfloat16, float16 or float32"):
        normalize_pixels(torch.zeros(3, dtype=torch.uint8), torch.int32)
