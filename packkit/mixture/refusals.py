"""The filter ``no-refusal``, which drops answers that refuse to answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from packkit.samples import Sample

# A refusal says what the speaker will not or cannot do for the asker. "I cannot see a fracture" is
# an answer, and so is "Sorry to hear that": only some verbs and objects make a refusal.
_SERVICES = (
    r"assist|help|provide|answer|fulfil+|comply|continue|view|access|open|process|analy[sz]e"
    r"|identify|interpret|diagnose|offer|give|discuss|describe|respond|support|generate|create"
    r"|determine|make|recognize|directly|accurately"
    r"|see (?:the|this|that|any|your|an?) (?:\w+ )?(?:image|picture|photo|scan|attachment|figure)"
)
_UNABLE = r"(?:unable|not able) to"
_CANNOT = (
    rf"(?:can(?:no|')?t|can not|could(?: not|n't)|am {_UNABLE}|'m {_UNABLE}|won't|will not)"
    rf"(?: be able to)? (?:{_SERVICES})\b"
)
_FEELING = r"(?: (?:to|for|about|that (?:you|he|she))\b)"
_ENGLISH = (
    rf"(?:but |however,? |unfortunately,? |i'm afraid (?:that )?)*i ?{_CANNOT}",
    rf"(?:i'?m |i am )?(?:so |very |really |terribly )?sorry\b(?!{_FEELING})",
    r"(?:i |my )?apologi(?:[sz]e|es)\b(?! to (?:the|him|her))",
    r"as an? (?:ai|artificial intelligence|(?:large )?language model|text-based)\b",
    r"unable to (?:assist|help|provide|answer|comply)",
)
_CHINESE = (
    r"(?:非常|很|十分|实在)?(?:抱歉|对不起|不好意思)",
    r"我?(?:无法|不能|没办法|没有办法)(?:为您|为你|对您|对你)?"
    r"(?:提供|回答|协助|帮助|满足|处理|查看|访问|识别|分析|给出|诊断|解释|描述)",
    r"作为(?:一个|一名|一款)?(?:AI|人工智能|大?语言模型|智能助手)",
)
_REFUSAL = re.compile("|".join(f"(?:{pattern})" for pattern in (*_ENGLISH, *_CHINESE)), re.I)
_DECORATION = " \t\r\n\"'*_#>`“”‘’"


@dataclass(frozen=True, slots=True)
class NoOptions:
    """A filter without options."""

    __pydantic_config__ = {"extra": "forbid", "strict": True}  # noqa: RUF012


class NoRefusal:
    """Drops a sample if one of its assistant turns starts with a refusal, English or Chinese.

    What a user writes, and what stands anywhere but at the start of a turn, drops nothing.

    >>> from packkit.samples import Message
    >>> answer = Message("assistant", ("I'm sorry, but I can't assist with that.",))
    >>> NoRefusal(NoOptions(), Path()).drops(Sample(messages=(answer,)), 0)
    True
    """

    name: ClassVar[str] = "no-refusal"
    version: ClassVar[int] = 1
    options: ClassVar[type[Any]] = NoOptions

    def __init__(self, options: NoOptions, data: Path) -> None:
        pass

    def drops(self, sample: Sample, key: int) -> bool:
        """Whether an assistant turn starts with a refusal."""
        return any(
            message.role == "assistant" and _is_refusal("".join(filter(None, message.content)))
            for message in sample.messages or ()
        )

    def describe(self) -> Mapping[str, Any]:
        """Returns an empty object: the filter has no options."""
        return {}


def _is_refusal(text: str) -> bool:
    start = text[:200].replace("’", "'").lstrip(_DECORATION)
    return _REFUSAL.match(start) is not None
