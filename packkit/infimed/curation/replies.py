"""Reading scores and comments from what a judge wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from packkit.infimed.chat import RefusedError, Reply, UnreadableError, find_json, without_thoughts
from packkit.infimed.curation.rubric import DIMENSIONS, IMAGING_RELEVANCE, OVERALL, RUBRIC, SCORES

_CRITERIA = (*DIMENSIONS, OVERALL)

# Further spellings of a criterion, in lower case with single underscores, as keys are compared.
_ALIASES = {
    "medical_accuracy": "accuracy",
    "information_accuracy": "accuracy",
    "language_clarity": "clarity",
    "clarity_and_fluency": "clarity",
    "caption_completeness": "completeness",
    "dialogue_completeness": "completeness",
    "dialog_completeness": "completeness",
    "caption_dialogue_completeness": "completeness",
    "image_relevance": IMAGING_RELEVANCE,
    "medical_image_relevance": IMAGING_RELEVANCE,
    "overall_score": OVERALL,
    "overall_quality": OVERALL,
    "overall_rating": OVERALL,
}
_NOT_WORDS = re.compile(r"[\W_]+")
_SCORE_TEXT = re.compile(r"\s*(\d+)(?:\s*(?:/|out of)\s*5)?\s*", re.I)

_REFUSAL = re.compile(
    r"\W*(?:(?:i['’]?m|i am)\s+(?:really\s+|very\s+|so\s+)?(?:sorry|unable|not able)"
    r"|(?:sorry|apologies)\b|unfortunately,? i\b"
    r"|i\s+(?:can['’]?t|cannot|can not|won['’]?t|will not|must decline|apologi[sz]e)"
    r"|as an ai\b"
    r"|(?:很|非常)?(?:抱歉|对不起|遗憾)|我(?:无法|不能|没有办法|没办法)"
    r"|作为(?:一个|一名)?(?:\s*AI|人工智能|语言模型))",
    re.I,
)


class JudgeScores(NamedTuple):
    """What a judge said of a sample.

    Attributes:
        scores: Score from 1 to 5 for each of `DIMENSIONS` and `OVERALL`.
        comments: Comment on each criterion that has one.
    """

    scores: dict[str, int]
    comments: dict[str, str]


def read_reply(reply: Reply, *, has_image: bool) -> JudgeScores:
    """Reads scores from a reply.

    Keys may be the criteria's names or titles in any case, and values ``4``, ``"4"``, ``"4/5"`` or
    an object with ``score`` and ``comment``.

    Args:
        reply: Reply of the judge.
        has_image: Whether the sample has an image. If not, `IMAGING_RELEVANCE` is 1 whatever the
            judge says.

    Raises:
        RefusedError: The judge will not answer.
        UnreadableError: There is no score from 1 to 5 for every criterion.
    """
    if reply.refusal is not None:
        raise RefusedError("the judge refused")
    if reply.finish_reason == "content_filter":
        raise RefusedError("the server's content filter stopped the reply")
    answer = find_json(reply.text, lambda value: not _read(value, has_image)[1])
    if answer is not None:
        return _read(answer, has_image)[0]
    if _REFUSAL.match(without_thoughts(reply.text)):
        raise RefusedError("the reply begins like a refusal")
    raise UnreadableError(_fault(reply, has_image))


def _fault(reply: Reply, has_image: bool) -> str:
    nearest = find_json(reply.text, lambda value: any(map(_criterion, value)))
    if nearest is None:
        fault = "no JSON object with scores"
    else:
        fault = "; ".join(_read(nearest, has_image)[1])
    return f"{fault} (cut off at the limit of tokens)" if reply.finish_reason == "length" else fault


def _read(value: Mapping[str, Any], has_image: bool) -> tuple[JudgeScores, list[str]]:
    """Reads an object; returns what it says, and each of its faults."""
    scores: dict[str, int] = {}
    comments: dict[str, str] = {}
    given: set[str] = set()
    faults = []
    for key, answer in value.items():
        name = _criterion(key)
        if name is None:
            continue
        if name in given:
            faults.append(f"{name} is given twice")
        given.add(name)
        score, comment = _score_and_comment(answer)
        if comment:
            comments[name] = comment
        if score is not None:
            scores[name] = score
        elif has_image or name != IMAGING_RELEVANCE:
            faults.append(f"{name} must be an integer from 1 to 5, got {str(answer)[:40]!r}")
    if not has_image:
        scores[IMAGING_RELEVANCE] = SCORES[0]
        given.add(IMAGING_RELEVANCE)
    if missing := [name for name in _CRITERIA if name not in given]:
        faults.append(f"{', '.join(missing)} missing")
    ordered = {name: scores[name] for name in _CRITERIA if name in scores}
    return JudgeScores(ordered, comments), faults


def _score_and_comment(answer: object) -> tuple[int | None, str]:
    score, comment = answer, ""
    if isinstance(answer, Mapping):
        fields = {_normal(key): value for key, value in answer.items()}
        score, comment = fields.get("score"), fields.get("comment", "")
    if isinstance(score, str) and (match := _SCORE_TEXT.fullmatch(score)):
        score = int(match[1])
    if isinstance(score, float) and score.is_integer():
        score = int(score)
    is_score = isinstance(score, int) and not isinstance(score, bool) and score in SCORES
    # JSON can name halves of surrogate pairs, which UTF-8 cannot hold.
    text = comment.encode("utf-8", "replace").decode() if isinstance(comment, str) else ""
    return score if is_score else None, text.strip()  # type: ignore[return-value]


def _criterion(key: str) -> str | None:
    """Returns the criterion that a key names, in whatever spelling."""
    return _NAMES.get(_normal(key))


def _normal(key: str) -> str:
    return _NOT_WORDS.sub("_", key.replace("&", " and ").lower()).strip("_")


_NAMES = {
    **{name: name for name in RUBRIC},
    **{_normal(criterion.title): name for name, criterion in RUBRIC.items()},
    **_ALIASES,
}
