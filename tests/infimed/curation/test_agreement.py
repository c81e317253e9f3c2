"""Weighted kappa against a naive one and against textbooks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from review_inputs import assessment

from packkit.infimed.curation.agreement import agreements, weighted_kappa
from packkit.infimed.curation.ratings import Ratings
from packkit.infimed.curation.rubric import IMAGING_RELEVANCE, RUBRIC

pairs = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), max_size=40)


def naive_kappa(rows):
    """By the matrices of the definition: weights, what was observed, what is expected."""
    observed = [[0.0] * 5 for _ in range(5)]
    for a, b in rows:
        observed[a - 1][b - 1] += 1 / len(rows)
    rows_of = [sum(row) for row in observed]
    columns_of = [sum(row[j] for row in observed) for j in range(5)]
    weights = [[(i - j) ** 2 / 16 for j in range(5)] for i in range(5)]
    cells = [(i, j) for i in range(5) for j in range(5)]
    disagreement = sum(weights[i][j] * observed[i][j] for i, j in cells)
    expected = sum(weights[i][j] * rows_of[i] * columns_of[j] for i, j in cells)
    return 1 - disagreement / expected if expected > 1e-12 else None


def split(rows):
    return [a for a, _ in rows], [b for _, b in rows]


@given(pairs)
def test_kappa_is_that_of_the_definition(rows):
    expected = naive_kappa(rows) if rows else None
    kappa = weighted_kappa(*split(rows))
    assert kappa == (None if expected is None else pytest.approx(expected))


@given(pairs)
def test_kappa_has_no_first_and_second(rows):
    first, second = split(rows)
    assert weighted_kappa(first, second) == weighted_kappa(second, first)


@given(st.lists(st.integers(1, 5), min_size=2))
def test_full_agreement_is_one_and_constants_have_none(values):
    assert weighted_kappa(values, values) == (1 if len(set(values)) > 1 else None)


def test_kappa_of_two_radiologists():
    """85 xeromammograms (Boyd 1982, in Altman, Practical Statistics for Medical Research, 1991).

    Stata's manual of ``kap`` has the value for quadratic weights, 0.6714.
    """
    table = [[21, 12, 0, 0], [4, 17, 1, 0], [3, 9, 15, 2], [0, 0, 0, 1]]
    rows = [(i, j) for i, row in enumerate(table) for j, n in enumerate(row) for _ in range(n)]
    assert weighted_kappa(*split(rows)) == pytest.approx(0.6714, abs=5e-5)


@pytest.mark.parametrize(
    ("first", "second", "kappa"),
    [
        ([], [], None),
        ([4, 4], [4, 4], None),
        ([4, 4], [3, 3], 0),
        ([4, 4], [3, 5], 0),
        ([1, 5], [5, 1], -1),
    ],
)
def test_ends_of_the_scale(first, second, kappa):
    assert weighted_kappa(first, second) == kappa


def test_unequal_numbers_are_an_error():
    with pytest.raises(ValueError, match="zip"):
        weighted_kappa([1, 2], [1])


def ratings(rater, by_number):
    scores = {f"{number:016x}": dict.fromkeys(RUBRIC, score) for number, score in by_number.items()}
    return Ratings(sheet="s", rater=rater, scores=scores, comments={})


def test_every_pair_is_compared_on_what_both_scored():
    judged = [assessment(n, score=1 + n % 5) for n in range(10)]
    judged.append(assessment(10, state="refused"))
    people = [
        ratings("Ada", {n: 1 + n % 5 for n in range(5, 12)}),
        ratings("Bo", {n: 5 - n % 5 for n in range(8)}),
        ratings("Cy", {}),
    ]
    compared = agreements(people, judged, "judge")
    overall = [(pair.first, pair.second, pair.kappas["overall"].n) for pair in compared]
    assert overall == [
        ("Ada", "judge", 5),
        ("Bo", "judge", 8),
        ("Cy", "judge", 0),
        ("Ada", "Bo", 3),
        ("Ada", "Cy", 0),
        ("Bo", "Cy", 0),
    ]
    assert compared[0].kappas["overall"].kappa == 1
    assert compared[1].kappas["overall"].kappa < 0
    assert compared[2].kappas["overall"].kappa is None
    assert list(compared[0].kappas) == list(RUBRIC)


def test_fixed_scores_do_not_pass_for_agreement():
    judged = [assessment(n, score=1 + n, has_image=n > 1) for n in range(4)]
    people = [ratings(name, {n: 1 + n for n in range(4)}) for name in ("Ada", "Bo")]
    for pair in agreements(people, judged, "judge"):
        assert pair.kappas[IMAGING_RELEVANCE].n == 2
        assert pair.kappas["overall"].n == 4
