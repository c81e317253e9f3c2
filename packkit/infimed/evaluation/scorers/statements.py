"""Yes or no in a statement: "No fracture is seen.", "There is no fracture.", "没有骨折。".

A statement answers a question only if it speaks of what was asked: its thing must be named there.
Questions that deny something themselves, and statements that hedge, are left unread.
"""

from __future__ import annotations

import re

from packkit.infimed.evaluation.scorers.phrases import sentences, singular

_SEEN = (
    r"(?:seen|present|visible|visualized|identified|noted|evident|observed|detected|found|apparent"
    r"|shown|demonstrated|there)"
)
_EVIDENCE = (
    r"(?:(?:clear|definite|obvious)\s+)?(?:(?:evidence|signs?|indications?)\s+(?:of|for)\s+)?"
)
# What is said of it afterwards may say where, and nothing else.
_WHERE = r"(?:\s+(?:in|on|at|within)\s+[^,;]{1,60})?"
_ENGLISH = re.compile(
    rf"""
    (?: (?:in|on)\s+[^,;]{{1,40}},\s* )?
    (?: there\s+(?:is|are|was|were)\s+(?P<denied>no\s+|not\s+any\s+)?
        {_EVIDENCE}(?:an?\s+|any\s+|the\s+)?(?P<thing>[^,;]{{1,60}}?)(?:\s+{_SEEN})?
      | (?: (?:i|we)\s+(?:can\s+)?see\s+ | (?:the|this)\s+[\w-]+(?:\s+\w+)?\s+shows?\s+ )?
        no\s+{_EVIDENCE}(?P<unseen>[^,;]{{1,60}}?)(?:(?:\s+(?:is|are|was|were|can\s+be))?\s+{_SEEN})?
    ){_WHERE}\s*
    """,
    re.I | re.X,
)
_CHINESE = re.compile(
    r"(?:图像?片?(?:中|显示|上)?)?(?P<denied>没有|未见|未发现|无)?(?P<has>有|存在|可见)?(?P<thing>\w{2,12}?)"
)
_HEDGES = re.compile(
    r"\b(?:may|might|could|possibl[ey]|probabl[ey]|likely|unlikely|suspected|doubt|against|question"
    r"|exclude[ds]?|rule[ds]?|not|but|unless|reason|way)\b|不能|可能|排除|疑似|但",
    re.I,
)
_DENYING = re.compile(
    r"\b(?:no|not|without|absent|absence|free|negative|lack\w*)\b|无|没|未|不", re.I
)
_WORD = re.compile(r"[a-z]{4,}")


def yes_or_no_stated(question: str, text: str) -> str | None:
    """Returns what the statements of a reply say to a question; None where that is not clear.

    >>> yes_or_no_stated("Is there a fracture?", "No fracture is seen.")
    'no'
    """
    if _DENYING.search(question):
        return None
    read = [_stated(question, sentence) for sentence in sentences(text)]
    said = {answer for answer in read if answer is not None}
    # A statement beside others may be taken back by them.
    return said.pop() if len(said) == 1 and None not in read else None


def _stated(question: str, sentence: str) -> str | None:
    if _HEDGES.search(re.sub(r"\bnot\s+any\b", "no", sentence, flags=re.I)):
        return None
    if match := _ENGLISH.fullmatch(sentence.strip()):
        thing = match["thing"] or match["unseen"]
        is_asked = _words(thing) and _words(thing) <= _words(question)
        is_denied = match["unseen"] is not None or match["denied"] is not None
        return ("no" if is_denied else "yes") if is_asked else None
    match = _CHINESE.fullmatch(sentence.strip(" 。"))
    if match is None or match["thing"] not in question or not (match["denied"] or match["has"]):
        return None
    return "no" if match["denied"] else "yes"


def _words(text: str) -> set[str]:
    return {singular(word) for word in _WORD.findall(text.lower())}
