"""The rubric is whole, and no word of it changes unnoticed."""

import hashlib

from packkit.infimed.curation.prompt import SYSTEM_PROMPT
from packkit.infimed.curation.rubric import (
    DIMENSIONS,
    OVERALL,
    REPLY_SCHEMA,
    RUBRIC,
    RUBRIC_VERSION,
)


def test_every_score_of_every_criterion_has_its_meaning():
    assert tuple(RUBRIC) == (*DIMENSIONS, OVERALL)
    for criterion in RUBRIC.values():
        assert tuple(criterion.levels) == (1, 2, 3, 4, 5)
        assert len(set(criterion.levels.values())) == 5
        for words in (criterion.title, criterion.question, *criterion.levels.values()):
            assert words in SYSTEM_PROMPT


def test_schema_asks_for_a_comment_and_a_score_of_each():
    assert REPLY_SCHEMA["required"] == list(RUBRIC) == list(REPLY_SCHEMA["properties"])
    for schema in REPLY_SCHEMA["properties"].values():
        assert schema["properties"]["score"]["enum"] == [1, 2, 3, 4, 5]
        assert schema["required"] == ["comment", "score"]
        assert schema["additionalProperties"] is False


def test_other_words_are_another_version():
    # Scores under another rubric are other scores: raise RUBRIC_VERSION with every change.
    digest = hashlib.sha256(SYSTEM_PROMPT.encode()).hexdigest()
    assert (RUBRIC_VERSION, digest[:16]) == ("1", "12f2a42d95ad38b0")
