"""Two models are compared on the same questions by the same rules, or not at all."""

import numpy as np
import pytest
from result_folders import question
from scored_results import everywhere, questions_of, results_of, scored, write_scores

from packkit.base.errors import FormatError, InputError
from packkit.infimed.evaluation.benchmarks import BENCHMARKS
from packkit.infimed.evaluation.comparison import PairCounts, compare
from packkit.infimed.evaluation.pairs import pair_verdicts
from packkit.infimed.evaluation.scored_results import open_all, open_scored

# Of each benchmark 12, 11, 3 and 6 questions: both right, only A, only B, none.
A = "r" * 12 + "r" * 11 + "w" * 3 + "w" * 6
B = "r" * 12 + "w" * 11 + "r" * 3 + "w" * 6
MIXED = {"slake": A, "vqa-rad": "rwrrww", "mmmu": "wwr"}
MIXED_B = {"slake": B, "vqa-rad": "wrrwww", "mmmu": "rww"}


def both(tmp_path, of_a, of_b, **scoring):
    return (
        scored(tmp_path / "a", of_a, label="A", **scoring),
        scored(tmp_path / "b", of_b, label="B", **scoring),
    )


def naive(pairs, samples, seed):
    """Resamples questions one by one: differences for each benchmark, the pool and the mean."""
    draws = np.random.default_rng(seed)
    differences = {}
    for name, of in pairs.items():
        gains = np.array([one.a.is_right - one.b.is_right for one in of.decided])
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


def test_draws_are_those_of_resampling_questions(tmp_path):
    a, b = both(tmp_path, everywhere("rrw") | MIXED, everywhere("rwr") | MIXED_B)
    found = compare(a, b, samples=20_000)
    pairs = pair_verdicts(a, b)
    expected = naive(pairs, 20_000, seed=1)
    for name in BENCHMARKS:
        assert_like(found.benchmarks[name], expected[name], 1 / found.counts[name].n)
    n = sum(one.n for one in found.counts.values())
    assert_like(found.pooled, expected["pooled"], 1 / n)
    assert_like(found.average, expected["average"], 0.02)


def test_counts_and_accuracies_are_exact(tmp_path):
    found = compare(*both(tmp_path, {"slake": A, "mmmu": "rrrw"}, {"slake": B, "mmmu": "wwww"}))
    assert found.counts["slake"] == PairCounts(both=12, only_a=11, only_b=3, neither=6)
    slake = found.benchmarks["slake"]
    assert (slake.a, slake.b) == (23 / 32, 15 / 32)
    assert slake.difference == pytest.approx(8 / 32)
    assert slake.low < slake.difference < slake.high and slake.a_beats_b > 0.95
    assert (found.pooled.a, found.pooled.b) == (26 / 36, 15 / 36)


def test_average_weighs_benchmarks_alike_and_wants_all(tmp_path):
    of_a, of_b = everywhere("rw"), everywhere("ww")
    a, b = both(tmp_path, of_a | {"slake": "r" * 50}, of_b | {"slake": "w" * 50})
    found = compare(a, b, samples=100)
    assert found.average.difference == pytest.approx((6 * 0.5 + 1) / 7)
    assert found.pooled.difference == pytest.approx(56 / 62)
    assert found.missing == ()
    few = {name: "rw" for name in BENCHMARKS if name not in ("mmmu", "slake")}
    part = compare(scored(tmp_path / "few", few), b, samples=100)
    assert part.average is None and part.missing == ("mmmu", "slake")
    assert part.benchmarks["path-vqa"] == found.benchmarks["path-vqa"]


def test_equal_models_tie(tmp_path):
    found = compare(*both(tmp_path, everywhere("rwu"), everywhere("rwu")), samples=50)
    for one in (*found.benchmarks.values(), found.pooled, found.average):
        assert (one.difference, one.low, one.high, one.a_beats_b) == (0, 0, 0, 0.5)


def test_better_everywhere_wins_always(tmp_path):
    found = compare(*both(tmp_path, everywhere("rr"), everywhere("wu")), samples=50)
    for one in (*found.benchmarks.values(), found.pooled, found.average):
        assert (one.difference, one.low, one.high, one.a_beats_b) == pytest.approx((1, 1, 1, 1))


def test_sides_are_alike_and_seeds_repeat(tmp_path):
    a, b = both(tmp_path, everywhere("rrw") | MIXED, everywhere("rwr") | MIXED_B)
    there, back = compare(a, b), compare(b, a)
    for one, other in (
        *((there.benchmarks[name], back.benchmarks[name]) for name in BENCHMARKS),
        (there.pooled, back.pooled),
        (there.average, back.average),
    ):
        assert one.difference == pytest.approx(-other.difference)
        assert one.a_beats_b + other.a_beats_b == pytest.approx(1, abs=0.02)
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
    found = compare(a, b, samples=10)
    assert found.counts["slake"] == PairCounts(
        both=1, only_a=0, only_b=0, neither=1, judge_failed=2
    )
    a, b = both(tmp_path / "none", {"slake": "f", "mmmu": "r"}, {"slake": "r", "mmmu": "r"})
    assert "slake" in compare(a, b, samples=10).missing


def test_questions_of_one_alone_are_left_out_and_counted(tmp_path):
    few, more = {"slake": "rr"}, {"slake": "wwrr", "mmmu": "r"}
    found = compare(*both(tmp_path, few, more), samples=10)
    assert found.counts["slake"] == PairCounts(both=0, only_a=2, only_b=0, neither=0, unshared=2)
    assert list(found.counts) == ["slake"]
    back = compare(*both(tmp_path / "back", more, few), samples=10)
    assert back.counts["slake"].unshared == 2


def test_nothing_in_common_is_said(tmp_path):
    with pytest.raises(InputError, match="A and B have no question in common"):
        compare(*both(tmp_path, {"slake": "r"}, {"mmmu": "r"}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"gold": "lung"}, "gold: 'aorta', 'lung'"),
        ({"text": "Where?"}, "text: 'What is seen in image q1[?]', 'Where[?]'"),
        ({"kind": "open"}, "kind: 'closed', 'open'"),
        ({"options": {"A": "x"}}, "options: {}, {'A': 'x'}"),
        ({"language": "zh"}, "language: 'en', 'zh'"),
    ],
)
def test_other_questions_are_an_error(tmp_path, changes, words):
    questions = questions_of({"slake": "rrr"})
    fields = {**questions[1].to_dict(), **changes}
    others = [questions[0], question(**fields), questions[2]]
    a = scored(tmp_path / "a", {"slake": "rrr"}, questions=questions)
    b = scored(tmp_path / "b", {"slake": "rrr"}, questions=others)
    with pytest.raises(InputError, match=f"question q1 of slake differs in {words}"):
        compare(a, b)


@pytest.mark.parametrize(
    ("scoring", "words"),
    [
        ({"scorer": "medevalkit"}, "scorer: strict, medevalkit"),
        ({"judge": "j"}, "judge: none, j; judge prompt version: none, 1"),
        ({"seed": 3}, "seed: 0, 3"),
        ({"prompt_version": "2"}, "prompt version: 1, 2"),
    ],
)
def test_other_methods_are_an_error(tmp_path, scoring, words):
    a = scored(tmp_path / "a", {"slake": "r"}, label="A")
    b = scored(tmp_path / "b", {"slake": "r"}, label="B", **scoring)
    with pytest.raises(InputError, match=f"A and B cannot be compared, they differ in {words}"):
        compare(a, b)


@pytest.mark.parametrize("option", [{"samples": 0}, {"seed": -1}])
def test_options_are_checked(tmp_path, option):
    with pytest.raises(InputError, match=next(iter(option))):
        compare(*both(tmp_path, {"slake": "r"}, {"slake": "r"}), **option)


def test_results_open_under_their_label(tmp_path, monkeypatch):
    results = results_of(tmp_path / "x=y", {"slake": "r"})
    with pytest.raises(InputError, match="score the results first"):
        open_scored(str(results.folder))
    write_scores(results, {"slake": "r"}, judge="org/gpt-4.1")
    assert open_scored(f"1+2={results.folder}").label == "1+2"
    assert open_scored(str(results.folder)).scoring == "strict+org%2Fgpt-4.1"
    monkeypatch.chdir(results.folder)
    assert open_scored(".").label == "x=y"
    write_scores(results, {"slake": "w"})
    with pytest.raises(InputError, match=r"scoring must name one of strict, strict\+org%2Fgpt-4.1"):
        open_scored(".")
    assert open_scored(".", "strict").scores.accuracy("slake") == 0
    file = results.scores_file("strict")
    assert open_scored(str(file)).scores.accuracy("slake") == 0
    assert [open_scored(name).label for name in (str(file), f"A={file}")] == ["x=y", "A"]
    with pytest.raises(InputError, match="has no scoring other, only strict"):
        open_scored(".", "other")


def test_labels_tell_results_apart(tmp_path):
    for folder in (tmp_path / "1" / "results", tmp_path / "2" / "results"):
        write_scores(results_of(folder, {"slake": "r"}), {"slake": "r"})
    names = [str(tmp_path / one / "results") for one in "12"]
    with pytest.raises(InputError, match="2 results have the label results"):
        open_all(names)
    assert [one.label for one in open_all([names[0], f"b={names[1]}"])] == ["results", "b"]
    with pytest.raises(InputError, match="no results"):
        open_all([])


def test_stale_scores_are_refused(tmp_path):
    results = results_of(tmp_path / "r", {"slake": "rw"})
    write_scores(results, {"slake": "rw"})
    opened = open_scored(str(results.folder))
    path = results.verdicts_file("strict")
    path.write_bytes(path.read_bytes().replace(b'"right"', b'"wrong"'))
    with pytest.raises(FormatError, match="not those that the scores count: score again"):
        opened.verdicts()
    write_scores(results, {"slake": "wr"})
    moved = path.read_bytes()
    write_scores(results, {"slake": "rw"})
    path.write_bytes(moved)
    with pytest.raises(FormatError, match="not those that the scores count: score again"):
        opened.verdicts()
    path.write_bytes(b"")
    with pytest.raises(FormatError, match="not those that the scores count: score again"):
        opened.verdicts()
    text = results.answers_file.read_text().replace("says q1", "says so")
    results.answers_file.write_text(text)
    with pytest.raises(InputError, match="score the results again"):
        open_scored(str(results.folder))
