"""What a judge said of each sample: one JSON line each, only ever appended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["Assessment", "State"]

State = Literal["ok", "parse_error", "refused", "http_error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What came of judging one sample, as one line of the results.

    Attributes:
        key: `packkit.sample_keys.sample_key` of the sample, 16 hexadecimal digits.
        request: hash of content (texts and image bytes), prompt version and model: what is paid
            for once.
        dataset: name of the data set that the sample was drawn from.
        id: the sample's own, if it has one.
        source: file that it was read from.
        position: number of its record there.
        has_image: whether it has one.
        model: the judge.
        prompt_version: of the rubric and its prompt.
        state: ``ok``, or why there are no scores.
        scores: 1 to 5 for each of `DIMENSIONS` and `OVERALL`; empty unless ok.
        comments: a remark for each.
        reply: what the judge wrote, where it could not be read; else empty.
        error: what went wrong; empty if ok.
        attempts: requests sent for it.
        prompt_tokens: of all attempts, as the server counted.
        completion_tokens: of all attempts.
        cost: of all attempts, in the currency of the prices given; None without prices.
    """

    key: str
    request: str
    dataset: str
    id: str | None
    source: str
    position: int
    has_image: bool
    model: str
    prompt_version: str
    state: State
    scores: Mapping[str, int]
    comments: Mapping[str, str]
    reply: str
    error: str
    attempts: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
