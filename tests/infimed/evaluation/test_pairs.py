"""Answers are paired only where both models were asked the same, and judged by one method."""

import pytest
from result_folders import question
from scored_results import questions_of, scored

from packkit.base.errors import InputError
from packkit.infimed.evaluation.pairs import pair_verdicts


def test_pairs_come_in_the_order_of_the_first_and_say_who_is_right(tmp_path):
    a = scored(tmp_path / "a", {"slake": "rrwwf", "mmmu": "r"}, judge="j")
    b = scored(tmp_path / "b", {"slake": "rwrwrr"}, judge="j")
    (slake,) = (pairs := pair_verdicts(a, b)).values()
    assert list(pairs) == ["slake"]
    assert [pair.question.key for pair in slake.decided] == ["q0", "q1", "q2", "q3"]
    assert [pair.who_is_right for pair in slake.decided] == ["both", "a", "b", "neither"]
    assert (slake.judge_failed, slake.unshared) == (1, 1)


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
        pair_verdicts(a, b)


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
        pair_verdicts(a, b)
