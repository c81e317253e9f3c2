"""Both scorers give the verdicts that were worked out by hand."""

import tomllib
from pathlib import Path

import pytest

from packkit.infimed.evaluation.questions import Question
from packkit.infimed.evaluation.scorers import SCORERS, scorer_named

TABLES = tomllib.loads(Path(__file__).with_name("verdicts.toml").read_text("utf-8"))["question"]


def verdict_of(reading):
    if reading.answer is None:
        return "unparsed"
    return ("guess " if reading.is_guess else "") + ("right" if reading.is_right else "wrong")


@pytest.mark.parametrize("column", [1, 2], ids=SCORERS)
@pytest.mark.parametrize("table", TABLES, ids=[table["shows"] for table in TABLES])
def test_replies_get_their_verdicts(table, column):
    scorer = scorer_named(SCORERS[column - 1], seed=0)
    fields = {name: value for name, value in table.items() if name not in {"shows", "replies"}}
    question = Question(key="2", text="?", **fields)
    read = {row[0]: verdict_of(scorer.read(question, row[0])) for row in table["replies"]}
    assert read == {row[0]: row[column] for row in table["replies"]}
