"""From what a judge wrote to scores and comments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from packkit.infimed.chat import RefusedError, Reply, UnreadableError, find_json, without_thoughts
from packkit.infimed.curation.rubric import DIMENSIONS, IMAGING_RELEVANCE, OVERALL, RUBRIC, SCORES

_CRITERIA = (*DIMENSIONS, OVERALL)

# Beside a criterion's own name and title; what is compared is lower case with single underscores.
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
        scores: 1 to 5 for each of `DIMENSIONS` and `OVERALL`.
        comments: A remark for each that has one.
    """

    scores: dict[str, int]
    comments: dict[str, str]


def read_reply(reply: Reply, *, has_image: bool) -> JudgeScores:
    """Reads scores from a reply.

    Keys may be the criteria's names or titles in any case, and values ``4``, ``"4"``, ``"4/5"`` or
    an object with ``score`` and ``comment``.

    Args:
        reply: What the judge answered.
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
    found = find_json(reply.text, lambda value: not _read(value, has_image)[1])
    if found is not None:
        return _read(found, has_image)[0]
    if _REFUSAL.match(without_thoughts(reply.text)):
        raise RefusedError("the reply begins like a refusal")
    raise UnreadableError(_what_is_wrong(reply, has_image))


def _what_is_wrong(reply: Reply, has_image: bool) -> str:
    half = find_json(reply.text, lambda value: any(map(_criterion, value)))
    fault = "no JSON object with scores" if half is None else "; ".join(_read(half, has_image)[1])
    return f"{fault} (cut off at the limit of tokens)" if reply.finish_reason == "length" else fault


def _read(value: Mapping[str, Any], has_image: bool) -> tuple[JudgeScores, list[str]]:
    """Reads an object; returns what it says, and each fault of it."""
    scores: dict[str, int] = {}
    comments: dict[str, str] = {}
    given: set[str] = set()
    faults = []
    for key, said in value.items():
        name = _criterion(key)
        if name is None:
            continue
        if name in given:
            faults.append(f"{name} is given twice")
        given.add(name)
        score, comment = _score_and_comment(said)
        if comment:
            comments[name] = comment
        if score is not None:
            scores[name] = score
        elif has_image or name != IMAGING_RELEVANCE:
            faults.append(f"{name} must be an integer from 1 to 5, got {str(said)[:40]!r}")
    if not has_image:
        scores[IMAGING_RELEVANCE] = SCORES[0]
        given.add(IMAGING_RELEVANCE)
    if missing := [name for name in _CRITERIA if name not in given]:
        faults.append(f"{', '.join(missing)} missing")
    ordered = {name: scores[name] for name in _CRITERIA if name in scores}
    return JudgeScores(ordered, comments), faults


def _score_and_comment(said: object) -> tuple[int | None, str]:
    comment: object = ""
    if isinstance(said, Mapping):
        fields = {_normal(key): value for key, value in said.items()}
        said, comment = fields.get("score"), fields.get("comment", "")
    if isinstance(said, str) and (match := _SCORE_TEXT.fullmatch(said)):
        said = int(match[1])
    if isinstance(said, float) and said.is_integer():
        said = int(said)
    is_score = isinstance(said, int) and not isinstance(said, bool) and said in SCORES
    # JSON can name halves of surrogate pairs, which UTF-8 cannot hold.
    text = comment.encode("utf-8", "replace").decode() if isinstance(comment, str) else ""
    return said if is_score else None, text.strip()  # type: ignore[return-value]


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
