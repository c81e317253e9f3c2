"""The method of scores: how answers were asked for and decided on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Method(NamedTuple):
    """How answers were asked for and decided on; figures of two methods cannot be compared.

    Attributes:
        scorer: Name of the rules that read the replies.
        scorer_version: Version of these rules.
        seed: Seed of what the rules draw at random; None where they draw nothing.
        judge: Model that decided on open questions; None where the rules did.
        judge_prompt_version: Version of the wording in which the judge was asked; None without one.
        prompt_version: Version of the wording in which the model was asked.
    """

    scorer: str
    scorer_version: str
    seed: int | None
    judge: str | None
    judge_prompt_version: str | None
    prompt_version: str

    def __str__(self) -> str:
        judge = "no judge"
        if self.judge is not None:
            judge = f"judge {self.judge} (prompt {self.judge_prompt_version})"
        seed = "" if self.seed is None else f" (seed {self.seed})"
        scorer = f"scorer {self.scorer} {self.scorer_version}{seed}"
        return f"{scorer}, {judge}, asked by prompt {self.prompt_version}"


def describe_mix(methods: Sequence[Method]) -> str:
    """Returns in words how methods differ; an empty text where they do not.

    >>> method = Method("strict", "1", None, None, None, "1")
    >>> describe_mix([method, method._replace(judge="j", judge_prompt_version="1")])
    'judge: none, j; judge prompt version: none, 1'
    """
    parts = []
    for name, values in zip(Method._fields, zip(*methods, strict=True), strict=True):
        distinct = dict.fromkeys("none" if value is None else str(value) for value in values)
        if len(distinct) > 1:
            parts.append(f"{name.replace('_', ' ')}: {', '.join(distinct)}")
    return "; ".join(parts)
