"""Packed samples do not see each other in Qwen3 under any mask, and it shows where they do."""

import shutil
from itertools import pairwise

import pytest
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM
from varlen_cases import cu_seqlens_of

from packkit.varlen import block_mask, dense_mask, pack_tokens

# torch's own compiler warns of torch's own deprecations as it is imported.
pytestmark = pytest.mark.filterwarnings(r"ignore:.torch\.jit\.:DeprecationWarning")

LENGTHS = [17, 64, 1, 130, 44]
# The last segment is padding.
SAMPLES = 4
VOCABULARY = 97

PATHS = {
    "eager": lambda bounds, total, **options: dense_mask(bounds, total, torch.float32, **options),
    "sdpa": lambda bounds, total, **options: dense_mask(bounds, total, **options),
    "flex_attention": lambda bounds, total, **options: block_mask(bounds, total, **options),
}
# FlexAttention has no gradient on a CPU: tests/varlen/test_on_gpu.py has it.
TRAINED = ["eager", "sdpa"]
has_no_compiler = not any(map(shutil.which, ("c++", "g++", "clang++")))
needs_compiler = pytest.mark.skipif(has_no_compiler, reason="transformers compiles FlexAttention")
ANY_PATH = [*TRAINED, pytest.param("flex_attention", marks=needs_compiler)]


@pytest.fixture(scope="module")
def packed():
    made = torch.Generator().manual_seed(0)
    total = sum(LENGTHS)
    ids = torch.randint(0, VOCABULARY, (total,), generator=made)
    labels = ids.where(torch.rand(total, generator=made) < 0.7, -100)
    labels[-LENGTHS[-1] :] = -100
    return ids, labels, cu_seqlens_of(LENGTHS)


@pytest.fixture(scope="module")
def model():
    """Weights large enough for a token to mind what it sees."""
    config = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        initializer_range=0.15,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Qwen3ForCausalLM(config).eval()


def packed_logits(model, packed, path, **options):
    ids, labels, bounds = packed
    model.set_attn_implementation(path)
    positions = pack_tokens(bounds, labels, SAMPLES).position_ids
    mask = PATHS[path](bounds, len(ids), **options)
    out = model(ids[None], attention_mask=mask, position_ids=positions[None], use_cache=False)
    return out.logits[0]


def alone(model, packed):
    """Logits of each segment, run by itself with no mask of ours."""
    ids, _, bounds = packed
    model.set_attn_implementation("eager")
    parts = [model(ids[None, a:b], use_cache=False).logits[0] for a, b in pairwise(bounds.tolist())]
    return torch.cat(parts)


def loss_of(logits, targets):
    return torch.nn.functional.cross_entropy(logits, targets, reduction="sum", ignore_index=-100)


def gradients_of(model, loss):
    return dict(
        zip(
            dict(model.named_parameters()),
            torch.autograd.grad(loss, list(model.parameters())),
            strict=True,
        )
    )


@pytest.mark.parametrize("path", ANY_PATH)
@torch.no_grad()
def test_packed_logits_are_those_of_each_sample_alone(model, packed, compiled_anew, path):
    expected = alone(model, packed)
    assert expected.std() > 0.5
    torch.testing.assert_close(packed_logits(model, packed, path), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("path", ANY_PATH)
@torch.no_grad()
def test_it_shows_where_samples_are_not_kept_apart(model, packed, compiled_anew, path):
    leaked = packed_logits(model, packed, path, isolate=False) - alone(model, packed)
    first = LENGTHS[0]
    assert leaked[:first].abs().max() < 1e-5
    assert leaked[first:].abs().max() > 0.1


@pytest.mark.parametrize("path", TRAINED)
@pytest.mark.parametrize("isolate", [True, False])
def test_packed_gradients_are_the_sum_of_those_of_each_sample(model, packed, path, isolate):
    _, labels, bounds = packed
    targets = pack_tokens(bounds, labels, SAMPLES).targets
    expected = gradients_of(model, loss_of(alone(model, packed), targets))
    logits = packed_logits(model, packed, path, isolate=isolate)
    packed_gradients = gradients_of(model, loss_of(logits, targets))
    norm = torch.cat([gradient.flatten() for gradient in expected.values()]).norm()
    worst = max((packed_gradients[name] - expected[name]).norm() / norm for name in expected)
    assert worst < 1e-5 if isolate else worst > 1e-2


def test_labels_and_targets_give_the_same_loss(model, packed):
    """The library shifts labels by itself, over borders too unless they are ignored there."""
    _, labels, bounds = packed
    masked = labels.index_fill(0, bounds[:-1].long(), -100)
    packing = pack_tokens(bounds, masked, SAMPLES)
    with torch.no_grad():
        logits = packed_logits(model, packed, "sdpa")
        theirs = model.loss_function(logits[None], masked[None], VOCABULARY)
    ours = loss_of(logits, packing.targets) / packing.num_targets
    torch.testing.assert_close(ours, theirs)
