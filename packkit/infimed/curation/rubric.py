"""The rubric: the five dimensions in which the quality of a sample is judged, and an overall score.

People and judges score by the same words. A change of any word needs another `RUBRIC_VERSION`:
scores under different rubrics cannot be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

IMAGING_RELEVANCE = "imaging_relevance"
"""Dimension that is fixed at 1 where a sample has no image, and then left out of averages."""

DIMENSIONS = ("accuracy", "clarity", "completeness", IMAGING_RELEVANCE, "practicality")

OVERALL = "overall"

SCORES = (1, 2, 3, 4, 5)

RUBRIC_VERSION = "1"
"""Version of the rubric and the prompt around it; results hold it as ``prompt_version``."""


class Criterion(NamedTuple):
    """What one score says of a sample.

    Attributes:
        title: Name of the criterion, as people read it.
        question: Question that the score answers.
        levels: Meaning of each score from 1 to 5.
    """

    title: str
    question: str
    levels: Mapping[int, str]


RUBRIC: Mapping[str, Criterion] = {
    "accuracy": Criterion(
        "Medical information accuracy",
        "Is what the sample states about medicine correct, and borne out by its images where it "
        "speaks of them?",
        {
            1: "Wrong or invented in what matters: a wrong diagnosis, organ, side or modality, or "
            "advice that could harm.",
            2: "Several wrong statements, or one that changes the meaning, among correct ones.",
            3: "Right in the main; imprecise terms, an unsupported claim or a slip in a detail.",
            4: "Correct throughout, short of the precision an expert would use in a place or two.",
            5: "Correct and precise in every statement; an expert would sign it as it stands.",
        },
    ),
    "clarity": Criterion(
        "Language clarity and fluency",
        "Does the text read well, and can it be understood in one way only?",
        {
            1: "Cannot be understood: garbled, cut off in mid-word, or mostly markup and debris.",
            2: "Hard to follow: broken grammar, muddled references or stray fragments that make "
            "the reader guess.",
            3: "Understandable at once in the main, with clumsy, repetitive or uneven sentences.",
            4: "Clear and fluent, but for a small flaw of wording or punctuation.",
            5: "Clear, fluent and well ordered, in the register of the field, with no flaw to "
            "point at.",
        },
    ),
    "completeness": Criterion(
        "Caption or dialogue completeness",
        "Does a caption say what its image shows that matters, does a dialogue answer all that is "
        "asked in it?",
        {
            1: "Nothing is said or answered: empty, a bare label, or a turn without its reply.",
            2: "The main finding or the point of the question is missing.",
            3: "The main point is there; findings, steps or parts of the question are left out.",
            4: "All that matters is there; a useful detail could be added.",
            5: "Everything that is asked or that the image calls for is said, and nothing hangs in "
            "the air.",
        },
    ),
    IMAGING_RELEVANCE: Criterion(
        "Medical imaging relevance",
        "Do text and images belong together, and are the images medical ones? A sample without an "
        "image has 1, whatever else it is.",
        {
            1: "No image, or images that have nothing to do with medicine or with the text.",
            2: "A medical setting at most, such as a logo, a chart or a portrait; the text could "
            "do without it.",
            3: "A medical image of the right topic, to which the text refers only loosely.",
            4: "A medical image that the text describes or asks about, with some of it not about "
            "the image.",
            5: "A diagnostic image, and text that rests on what can be seen in it.",
        },
    ),
    "practicality": Criterion(
        "Practicality",
        "Would a model that learns this sample get better at what clinicians, students or patients "
        "need?",
        {
            1: "Useless or harmful to learn from: advertisement, boilerplate, a refusal, unsafe "
            "advice.",
            2: "Of little use: trivial, out of any medical context, or answered by guessing.",
            3: "Of some use: common knowledge, or a question that seldom arises in this form.",
            4: "Useful: a task or a fact that comes up in practice or teaching.",
            5: "Very useful: a typical, well posed task of practice, worked out so that its answer "
            "can be acted on.",
        },
    ),
    OVERALL: Criterion(
        "Overall",
        "Should this sample be trained on? No average: a grave fault in one dimension outweighs "
        "merits in others.",
        {
            1: "Must not be used.",
            2: "Better left out: its faults teach more than its content does.",
            3: "May be used: of middling quality, without a grave fault.",
            4: "Should be used: good, with small faults.",
            5: "Exemplary: one to hold others against.",
        },
    ),
}

_SCORE_SCHEMA = {
    "type": "object",
    "properties": {
        # The comment comes first: a judge that has given its score will only defend it.
        "comment": {"type": "string"},
        "score": {"type": "integer", "enum": list(SCORES)},
    },
    "required": ["comment", "score"],
    "additionalProperties": False,
}

REPLY_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": dict.fromkeys(RUBRIC, _SCORE_SCHEMA),
    "required": list(RUBRIC),
    "additionalProperties": False,
}
"""JSON schema of a reply: a comment and a score for each criterion."""
