"""The file of scores comes back as it was written, and has an average of all benchmarks or none."""

import pytest

from packkit.infimed.evaluation.method import Method
from packkit.infimed.evaluation.score_file import IncompleteError, ScoreFile
from packkit.infimed.evaluation.tallies import BenchmarkTallies, Tally


def scores_of(accuracies):
    """Scores with these shares of 1,000 questions right."""
    none = Tally(0, 0, 0, 0)
    summaries = {
        name: BenchmarkTallies(
            benchmark=name,
            total=(total := Tally(1000, round(1000 * share), 0, 0)),
            closed=total,
            open=none,
            guesses=0,
            overlap=None,
            groups={},
        )
        for name, share in accuracies.items()
    }
    return ScoreFile(
        model="m",
        method=Method("strict", "1", 0, None, None, "1"),
        answers="0" * 16,
        questions={},
        benchmarks=summaries,
    )


SEVEN = {
    "mmmu": 0.4,
    "vqa-rad": 0.5,
    "slake": 0.6,
    "path-vqa": 0.7,
    "pmc-vqa": 0.3,
    "omnimedvqa": 0.8,
    "medxpertqa": 0.2,
}


def test_average_is_the_unweighted_mean_of_all_seven(tmp_path):
    scores = scores_of(SEVEN)
    assert scores.average == pytest.approx(0.5)
    scores.write(tmp_path / "scores.json")
    assert ScoreFile.read(tmp_path / "scores.json") == scores


@pytest.mark.parametrize("left_out", SEVEN)
def test_average_is_refused_while_a_benchmark_is_missing(left_out):
    scores = scores_of({name: share for name, share in SEVEN.items() if name != left_out})
    with pytest.raises(IncompleteError, match=f"no average: {left_out} missing") as caught:
        _ = scores.average
    assert caught.value.missing == (left_out,)
    assert scores.to_dict()["average"] is None
    assert scores.to_dict()["missing"] == (left_out,)
