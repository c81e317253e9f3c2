"""Replies are read in every spelling that means scores, and in no other."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.infimed.chat import RefusedError, Reply, UnreadableError
from packkit.infimed.curation.replies import read_reply

SPELLINGS = {
    "accuracy": ["accuracy", "Accuracy", "Medical Information Accuracy", "medical_accuracy"],
    "clarity": ["clarity", "Language Clarity and Fluency", "Language Clarity & Fluency"],
    "completeness": [
        "completeness",
        "Dialogue Completeness",
        "Caption/Dialogue Completeness",
        "CAPTION OR DIALOGUE COMPLETENESS",
        "caption-completeness",
    ],
    "imaging_relevance": ["imaging_relevance", "Medical Imaging Relevance"],
    "practicality": ["practicality", " Practicality: "],
    "overall": ["overall", "Overall Score", "overall_quality"],
}
SCORE = st.integers(1, 5)


@st.composite
def spelled(draw):
    """Scores, and an object that says them in some spelling."""
    scores, said = {}, {}
    for name in draw(st.permutations(list(SPELLINGS))):
        score = scores[name] = draw(SCORE)
        comment = draw(st.text(max_size=10))
        forms = [
            score,
            float(score),
            str(score),
            f"{score}/5",
            f" {score} / 5 ",
            f"{score} out of 5",
        ]
        value = draw(st.sampled_from(forms))
        if draw(st.booleans()):
            value = {"comment": comment, "score": value}
        said[draw(st.sampled_from(SPELLINGS[name]))] = value
    return scores, said


@given(spelled(), st.booleans(), st.sampled_from(["{}", "```json\n{}\n```", "So: {} Done."]))
def test_scores_are_read_in_any_spelling(example, has_image, around):
    scores, said = example
    text = around.replace("{}", json.dumps(said))
    expected = scores if has_image else {**scores, "imaging_relevance": 1}
    assert read_reply(Reply(text=text), has_image=has_image).scores == expected


@given(spelled(), st.data())
def test_anything_else_is_unreadable_and_says_why(example, data):
    _, said = example
    key = data.draw(st.sampled_from(sorted(said)))
    wrong = [0, 6, -1, 4.5, True, None, "", "four", "4/10", "45", [4], {"comment": "good"}, 1e300]
    name = next(name for name, spellings in SPELLINGS.items() if key in spellings)
    value = data.draw(st.sampled_from(wrong))
    with pytest.raises(UnreadableError, match=f"{name} must be an integer from 1 to 5"):
        read_reply(Reply(text=json.dumps({**said, key: value})), has_image=True)
    del said[key]
    with pytest.raises(UnreadableError, match=f"{name} missing"):
        read_reply(Reply(text=json.dumps(said)), has_image=True)


@given(st.text())
def test_any_text_is_read_refused_or_unreadable(text):
    with pytest.raises((RefusedError, UnreadableError)):
        read_reply(Reply(text=text), has_image=True)


def full(**changes):
    return {**{name: {"score": 4, "comment": f"so {name}"} for name in SPELLINGS}, **changes}


def test_comments_are_kept_and_mended():
    judged = read_reply(Reply(text=json.dumps(full(clarity=3))), has_image=True)
    assert "clarity" not in judged.comments
    assert judged.comments["accuracy"] == "so accuracy"
    assert list(judged.scores) == list(SPELLINGS)
    halved = full(clarity={"score": 3, "comment": "a\ud800"})
    assert read_reply(Reply(text=json.dumps(halved)), has_image=True).comments["clarity"] == "a?"


@pytest.mark.parametrize("relevance", [{}, {"imaging_relevance": 5}, {"imaging_relevance": "n/a"}])
def test_relevance_without_an_image_is_1_whatever_the_judge_says(relevance):
    said = {name: 4 for name in SPELLINGS if name != "imaging_relevance"} | relevance
    judged = read_reply(Reply(text=json.dumps(said)), has_image=False)
    assert judged.scores == {**dict.fromkeys(SPELLINGS, 4), "imaging_relevance": 1}


def test_scores_below_another_key_are_found():
    text = json.dumps({"evaluation": dict.fromkeys(SPELLINGS, 2), "accuracy_note": "none"})
    assert set(read_reply(Reply(text=text), has_image=True).scores.values()) == {2}


def test_one_dimension_twice_is_no_answer():
    text = json.dumps({**full(), "Medical Accuracy": 2})
    with pytest.raises(UnreadableError, match="accuracy is given twice"):
        read_reply(Reply(text=text), has_image=True)


def test_reply_that_ran_out_of_tokens_says_so():
    with pytest.raises(UnreadableError, match=r"no JSON object with scores .*limit of tokens"):
        read_reply(Reply(text='{"accuracy": {"com', finish_reason="length"), has_image=True)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I’m unable to assess medical images.",
        "**Sorry**, no.",
        "I cannot score this sample.",
        "As an AI language model, I do not judge people.",
        "Unfortunately, I am not able to view it.",
        "<think>May I?</think>\n抱歉，我无法评估该图像。",
        "我不能回答这个问题。",
        "很抱歉，不行。",
        "作为一个人工智能助手，我不会评分。",
    ],
)
def test_refusals_are_refusals_unless_scores_follow(text):
    with pytest.raises(RefusedError):
        read_reply(Reply(text=text), has_image=True)
    with_scores = f"{text} {json.dumps(full())}"
    assert read_reply(Reply(text=with_scores), has_image=True).scores["overall"] == 4


@pytest.mark.parametrize(
    "text",
    ["The answer says sorry to the patient.", "<think>I cannot", "Scores: 4, 4, 4, 4, 4, 4", ""],
)
def test_other_words_are_no_refusal(text):
    with pytest.raises(UnreadableError):
        read_reply(Reply(text=text), has_image=True)


@pytest.mark.parametrize("flag", [{"refusal": "No."}, {"finish_reason": "content_filter"}])
def test_refusal_that_the_server_states_counts_whatever_the_text(flag):
    with pytest.raises(RefusedError):
        read_reply(Reply(text=json.dumps(full()), **flag), has_image=True)
