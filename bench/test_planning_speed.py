"""Planning beside numpy's stable sort of the same lengths, and exact filling beside its target.

pytest bench/test_planning_speed.py --benchmark-only
"""

from __future__ import annotations

import numpy as np
import pytest

from packkit.planning import plan_histogram, plan_packs

CAPACITY = 4096
SAMPLES = 10**7


@pytest.fixture(scope="module")
def lognormal():
    lengths = np.random.default_rng(0).lognormal(6.2, 1.0, SAMPLES)
    return np.clip(lengths, 16, CAPACITY).astype(np.uint16)


@pytest.fixture(scope="module")
def captions():
    text = np.clip(np.random.default_rng(0).lognormal(3.6, 0.5, SAMPLES), 5, 400)
    return (144 + text).astype(np.uint16)


@pytest.mark.benchmark(group="lognormal, 10^7 lengths")
def test_argsort(benchmark, lognormal):
    benchmark.pedantic(np.argsort, (lognormal,), {"kind": "stable"}, rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="lognormal, 10^7 lengths")
def test_plan_packs(benchmark, lognormal):
    plan = benchmark.pedantic(
        plan_packs, (lognormal,), {"capacity": CAPACITY}, rounds=5, warmup_rounds=1
    )
    benchmark.extra_info["gap"] = plan.gap


@pytest.mark.benchmark(group="histogram of 10^10 lengths")
def test_plan_histogram(benchmark, lognormal):
    counts = np.bincount(lognormal, minlength=CAPACITY + 1) * 1000
    plan = benchmark.pedantic(
        plan_histogram, (counts,), {"capacity": CAPACITY}, rounds=5, warmup_rounds=1
    )
    assert plan.samples == SAMPLES * 1000


@pytest.mark.benchmark(group="histogram of 10^7 captions")
@pytest.mark.parametrize("algorithm", ["ffd", "fill"])
def test_captions(benchmark, captions, algorithm):
    counts = np.bincount(captions, minlength=CAPACITY + 1)
    options = {"capacity": CAPACITY, "algorithm": algorithm}
    plan = benchmark.pedantic(plan_histogram, (counts,), options, rounds=5, warmup_rounds=1)
    benchmark.extra_info["gap"] = plan.gap
    assert plan.gap <= (0.0015 if algorithm == "fill" else 0.02)
