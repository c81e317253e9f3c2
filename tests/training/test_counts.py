"""What a step holds is the sum over its batches, and its metrics are rates of that."""

import dataclasses

import pytest
from training_cases import IMAGE_TOKENS, small_model

from packkit.training import counts
from packkit.training.counts import StepCounts, count_step
from packkit.training.flops import batch_flops
from packkit.training.parallel import start_ranks

CAPACITY = 1024
COUNTS = StepCounts(
    targets=30, tokens=80, images=4, capacity=100, flops=6e12, peak=4e12, data_seconds=0.5
)
STEP = {"step": 3, "epoch": 1, "loss": 2.0, "lr": 0.1, "grad_norm": 0.5}


@pytest.fixture(scope="module")
def config():
    return small_model().llava.config


@pytest.fixture
def count(config):
    """Counts batches as the only rank, which waited for two seconds."""
    with start_ranks("cpu") as ranks:
        yield lambda batches: count_step(
            batches,
            config,
            image_tokens=IMAGE_TOKENS,
            capacity=CAPACITY,
            waited=2.0,
            ranks=ranks,
        )


def test_counts_are_sums_over_the_samples(count, config, batch_of, samples, small_encoder):
    batches = [batch_of(0, 1), batch_of(2)]
    packed = [sample for pack in samples[:3] for sample in pack]
    encoded = [small_encoder.encode(sample) for sample in packed]
    assert count(batches) == StepCounts(
        tokens=sum(sample.length for sample in encoded),
        targets=sum(int((sample.labels != -100).sum()) for sample in encoded),
        images=sum(len(sample.images) for sample in packed),
        capacity=3 * CAPACITY,
        flops=pytest.approx(sum(batch_flops(config, batch, IMAGE_TOKENS) for batch in batches)),
        peak=None,
        data_seconds=2.0,
    )


def test_padding_is_no_token(count, batch_of):
    plain, padded = batch_of(0), batch_of(0, pad_to_multiple_of=512)
    assert padded.tokens > plain.tokens
    assert count([padded]) == count([plain])


def test_a_filler_has_no_capacity(count, batch_of):
    batch = batch_of(0)
    filler = dataclasses.replace(batch, pack_ids=batch.pack_ids * 0 - 1)
    assert count([batch, filler]).capacity == CAPACITY


def test_metrics_are_rates_of_the_counts():
    metrics = COUNTS.metrics(**STEP, seconds=2.0)
    assert dataclasses.asdict(metrics) == {
        **STEP,
        "tokens": 80,
        "targets": 30,
        "images": 4,
        "efficiency": 0.8,
        "seconds": 2.0,
        "data_seconds": 0.5,
        "tokens_per_second": 40.0,
        "targets_per_second": 15.0,
        "images_per_second": 2.0,
        "mfu": 0.75,
    }


def test_the_share_of_an_unknown_peak_is_unknown():
    assert dataclasses.replace(COUNTS, peak=None).metrics(**STEP, seconds=2.0).mfu is None


def test_a_step_of_fillers_alone_fills_nothing():
    nothing = dataclasses.replace(COUNTS, tokens=0, capacity=0)
    assert nothing.metrics(**STEP, seconds=2.0).efficiency == 0.0


@pytest.mark.parametrize(("peak", "together"), [(3e12, 12e12), (None, None)])
def test_the_peak_is_that_of_all_gpus(monkeypatch, peak, together):
    class Gpus:
        world_size = 4
        device = counts.torch.device("cuda", 0)

    monkeypatch.setattr(counts.torch.cuda, "get_device_name", lambda device: "some GPU")
    monkeypatch.setattr(counts, "peak_flops", lambda name: peak)
    assert counts._peak(Gpus()) == together
