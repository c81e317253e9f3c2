"""Two models are compared on the same questions, by a bootstrap that agrees with resampling."""

import numpy as np
import pytest
from scored_results import everywhere, scored

from packkit.base.errors import InputError
from packkit.infimed.evaluation.benchmarks import BENCHMARKS
from packkit.infimed.evaluation.comparison import PairCounts, compare
from packkit.infimed.evaluation.pairs import pair_verdicts

# Of each benchmark 12, 11, 3 and 6 questions: both right, only A, only B, none.
A = "r" * 12 + "r" * 11 + "w" * 3 + "w" * 6
B = "r" * 12 + "w" * 11 + "r" * 3 + "w" * 6
MIXED = {"slake": A, "vqa-rad": "rwrrww", "mmmu": "wwr"}
MIXED_B = {"slake": B, "vqa-rad": "wrrwww", "mmmu": "rww"}


def both(tmp_path, outcomes_a, outcomes_b, **scoring):
    return (
        scored(tmp_path / "a", outcomes_a, label="A", **scoring),
        scored(tmp_path / "b", outcomes_b, label="B", **scoring),
    )


def naive(pairs, samples, seed):
    """Resamples questions one by one: differences for each benchmark, the pool and the mean."""
    draws = np.random.default_rng(seed)
    differences = {}
    for name, shared in pairs.items():
        gains = np.array([pair.a.is_right - pair.b.is_right for pair in shared.decided])
        differences[name] = gains[draws.integers(len(gains), size=(samples, len(gains)))]
    pooled = np.concatenate(list(differences.values()), axis=1).mean(axis=1)
    means = {name: drawn.mean(axis=1) for name, drawn in differences.items()}
    return {**means, "pooled": pooled, "average": np.mean(list(means.values()), axis=0)}


def assert_like(estimate, differences, step):
    """An estimate and resamples agree up to the chance of 20,000 draws and one question."""
    low, high = np.quantile(differences, [0.025, 0.975])
    wins = (differences > 1e-9).mean() + (abs(differences) < 1e-9).mean() / 2
    assert estimate.low == pytest.approx(low, abs=1.01 * step)
    assert estimate.high == pytest.approx(high, abs=1.01 * step)
    assert estimate.a_beats_b == pytest.approx(wins, abs=0.015)


def figures(estimate):
    return estimate.difference, estimate.low, estimate.high, estimate.a_beats_b


def test_draws_are_those_of_resampling_questions(tmp_path):
    a, b = both(tmp_path, everywhere("rrw") | MIXED, everywhere("rwr") | MIXED_B)
    comparison = compare(a, b, samples=20_000)
    pairs = pair_verdicts(a, b)
    expected = naive(pairs, 20_000, seed=1)
    for name in BENCHMARKS:
        assert_like(comparison.benchmarks[name], expected[name], 1 / comparison.counts[name].n)
    n = sum(counts.n for counts in comparison.counts.values())
    assert_like(comparison.pooled, expected["pooled"], 1 / n)
    assert_like(comparison.average, expected["average"], 0.02)


def test_counts_and_accuracies_are_exact(tmp_path):
    comparison = compare(
        *both(tmp_path, {"slake": A, "mmmu": "rrrw"}, {"slake": B, "mmmu": "wwww"})
    )
    assert comparison.counts["slake"] == PairCounts(both=12, only_a=11, only_b=3, neither=6)
    slake = comparison.benchmarks["slake"]
    assert (slake.a, slake.b) == (23 / 32, 15 / 32)
    assert slake.difference == pytest.approx(8 / 32)
    assert slake.low < slake.difference < slake.high and slake.a_beats_b > 0.95
    assert (comparison.pooled.a, comparison.pooled.b) == (26 / 36, 15 / 36)


def test_average_weighs_benchmarks_alike_and_wants_all(tmp_path):
    outcomes_a, outcomes_b = everywhere("rw"), everywhere("ww")
    a, b = both(tmp_path, outcomes_a | {"slake": "r" * 50}, outcomes_b | {"slake": "w" * 50})
    comparison = compare(a, b, samples=100)
    assert comparison.average.difference == pytest.approx((6 * 0.5 + 1) / 7)
    assert comparison.pooled.difference == pytest.approx(56 / 62)
    assert comparison.missing == ()
    few = {name: "rw" for name in BENCHMARKS if name not in ("mmmu", "slake")}
    part = compare(scored(tmp_path / "few", few), b, samples=100)
    assert part.average is None and part.missing == ("mmmu", "slake")
    assert part.benchmarks["path-vqa"] == comparison.benchmarks["path-vqa"]


def test_equal_models_tie(tmp_path):
    comparison = compare(*both(tmp_path, everywhere("rwu"), everywhere("rwu")), samples=50)
    for estimate in (*comparison.benchmarks.values(), comparison.pooled, comparison.average):
        assert figures(estimate) == (0, 0, 0, 0.5)


def test_better_everywhere_wins_always(tmp_path):
    comparison = compare(*both(tmp_path, everywhere("rr"), everywhere("wu")), samples=50)
    for estimate in (*comparison.benchmarks.values(), comparison.pooled, comparison.average):
        assert figures(estimate) == pytest.approx((1, 1, 1, 1))


def test_sides_are_alike_and_seeds_repeat(tmp_path):
    a, b = both(tmp_path, everywhere("rrw") | MIXED, everywhere("rwr") | MIXED_B)
    there, back = compare(a, b), compare(b, a)
    for forth, reverse in (
        *((there.benchmarks[name], back.benchmarks[name]) for name in BENCHMARKS),
        (there.pooled, back.pooled),
        (there.average, back.average),
    ):
        assert forth.difference == pytest.approx(-reverse.difference)
        assert forth.a_beats_b + reverse.a_beats_b == pytest.approx(1, abs=0.02)
    assert compare(a, b) == there
    assert compare(a, b, seed=1).average != there.average


def test_many_questions_come_close_to_the_normal_distribution(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "packkit.infimed.evaluation.comparison.pair_verdicts", lambda a, b: {"slake": None}
    )
    counts = PairCounts(both=40_000, only_a=5_000, only_b=4_700, neither=40_000)
    monkeypatch.setattr("packkit.infimed.evaluation.comparison._counts", lambda pairs: counts)
    a, b = both(tmp_path, {"slake": "r"}, {"slake": "w"})
    slake = compare(a, b).benchmarks["slake"]
    # The normal approximation: 300 of sqrt(9,700).
    assert slake.a_beats_b == pytest.approx(0.9988, abs=0.002)


def test_what_a_judge_failed_on_is_left_out_and_counted(tmp_path):
    a, b = both(tmp_path, {"slake": "rfrw"}, {"slake": "rwfw"}, judge="j")
    comparison = compare(a, b, samples=10)
    expected = PairCounts(both=1, only_a=0, only_b=0, neither=1, judge_failed=2)
    assert comparison.counts["slake"] == expected
    a, b = both(tmp_path / "none", {"slake": "f", "mmmu": "r"}, {"slake": "r", "mmmu": "r"})
    assert "slake" in compare(a, b, samples=10).missing


def test_questions_of_one_alone_are_left_out_and_counted(tmp_path):
    few, more = {"slake": "rr"}, {"slake": "wwrr", "mmmu": "r"}
    comparison = compare(*both(tmp_path, few, more), samples=10)
    assert comparison.counts["slake"] == PairCounts(
        both=0, only_a=2, only_b=0, neither=0, unshared=2
    )
    assert list(comparison.counts) == ["slake"]
    back = compare(*both(tmp_path / "back", more, few), samples=10)
    assert back.counts["slake"].unshared == 2


def test_nothing_in_common_is_said(tmp_path):
    with pytest.raises(InputError, match="A and B have no question in common"):
        compare(*both(tmp_path, {"slake": "r"}, {"mmmu": "r"}))


@pytest.mark.parametrize("option", [{"samples": 0}, {"samples": 10**6 + 1}, {"seed": -1}])
def test_options_are_checked(tmp_path, option):
    with pytest.raises(InputError, match=next(iter(option))):
        compare(*both(tmp_path, {"slake": "r"}, {"slake": "r"}), **option)
