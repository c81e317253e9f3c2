"""Rules that read only what a reply says outright.

A reply is right when it names the right answer, never because it contains its letters, looks like
it, or by chance. A reply that names no answer is unparsed, which is counted apart from wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from packkit.infimed.evaluation.questions import Question
from packkit.infimed.evaluation.scorers.base import Reading
from packkit.infimed.evaluation.scorers.phrases import (
    declared,
    is_same,
    plain,
    sentences,
    tidied,
    without_control_tokens,
    without_reasoning,
)
from packkit.infimed.evaluation.scorers.statements import yes_or_no_stated

_UNPARSED = Reading(None)

_QUOTES = " \t\n\"“”‘’'<>$[{"
_LETTER = re.compile(
    r"(?:(?:therefore|thus|hence|so)\b[,:]?\s+)?"
    r"(?:i\s+(?:think|believe|guess|(?:would\s+)?(?:say|choose|pick|select))\s+"
    r"(?:that\s+)?(?:it(?:['’]s|\s+is)\s+)?)?"
    r"(?:(?:the\s+)?(?:option|choice|answer)\s+|选项?|选择)?"
    r"[(\[\"“']?(?P<letter>[a-z])(?![a-z'’])"
    r"(?P<end>[\"”]?\s*[.):\],]+|\s+[-–—](?=\s)"
    r"|\s+is\s+(?:the\s+)?(?:correct|right|best)\b|[\s\"”'}]*$|\s+)(?P<rest>.*)",
    re.I | re.S,
)
# What follows one of these is about the other options.
_REASON = re.compile(r"\b(?:because|since|rather than)\b|,\s*not\b", re.I)

_YES_WORDS = "是的|是|对的|对|有的|有|存在|包含|可以|能|会"
_NO_WORDS = "否|不是的|不是|不对|没有|没|无|不存在|不包含|不可以|不能|不会|不"
_CLOSE = r"""(?=[ \t"”'’)\]}]*(?:[,.;:!。、\n]|$))"""
# The words count where a sentence begins: "No" before a noun, as in "No fracture is seen", says
# nothing about the question, nor does a Chinese word that goes on.
_YES_OR_NO = re.compile(
    rf"""
    (?:^|[.!?。;\n])[ \t"“‘'(\[]*
    (?:(?:so|thus|hence|therefore|but|actually|wait)[,\s]+|(?:所以|因此)[,\s]*)*
    (?:(?:based\s+on|according\s+to|judging\s+(?:by|from)|looking\s+at|from|in)\s+
       [^.,:;!?\n]{{1,60}},\s*)?
    (?:
      (?P<yes> yes\b(?!\W*(?:/|\bor\b|\band\b)\W*no\b) | (?:{_YES_WORDS}){_CLOSE} )
    | no(?!\.\s*\d)(?:{_CLOSE}|(?=\s+(?:[-–—]\s|(?:there|it|this|that|the)\b)))
    | (?:{_NO_WORDS}){_CLOSE}
    )
    """,
    re.I | re.X,
)


@dataclass(frozen=True, slots=True)
class StrictScorer:
    """The rules described in docs/evaluation.md under ``strict``."""

    name = "strict"
    version = "2"
    seed = None

    def asks_judge(self, question: Question) -> bool:
        """Whether the question is open."""
        return question.is_open

    def read(self, question: Question, reply: str) -> Reading:
        """Reads a reply."""
        said = without_control_tokens(without_reasoning(reply))
        text = tidied(said)
        if not plain(text):
            return _UNPARSED
        if question.is_open:
            return Reading(said.strip(), _names(text, question.gold))
        if question.kind == "choice":
            answer = _option_in(text, question.options)
            return Reading(answer, _is_option(answer, question))
        if (wanted := _yes_or_no(question.gold)) is not None:
            spoken = declared(text)
            said = text if spoken is None else spoken
            answer = _yes_or_no(said) or yes_or_no_stated(question.text, said)
            return Reading(answer, answer == wanted)
        return _read_phrase(text, question.gold)


def _is_option(letter: str | None, question: Question) -> bool:
    """Whether a letter is that of the right option, or of one with the very same text."""
    if letter is None or letter == question.gold:
        return letter is not None
    options = question.options
    return question.gold in options and plain(options[letter]) == plain(options[question.gold])


def _read_phrase(text: str, gold: str) -> Reading:
    """Reads the declared answer, else the only sentence of the text."""
    answer = declared(text)
    if answer is None and (len(sentences(text)) == 1 or is_same(text, gold)):
        answer = text
    return Reading(answer, _names(text, gold)) if answer and plain(answer) else _UNPARSED


def _names(text: str, gold: str) -> bool:
    """Whether the text, the declared line, or that line's first sentence is the gold answer."""
    answer = declared(text)
    said = [text] if answer is None else [text, *_line_and_first(answer)]
    return any(is_same(part, gold) for part in said)


def _yes_or_no(text: str) -> str | None:
    """Returns the last explicit yes or no; None where there is none."""
    *_, last = (None, *_YES_OR_NO.finditer(text))
    if last is None:
        return None
    return "yes" if last["yes"] else "no"


def _option_in(text: str, options: Mapping[str, str]) -> str | None:
    """Returns the declared letter; without a declaration, the only one that the sentences name."""
    answer = declared(text)
    if answer is not None:
        return next(
            filter(None, (_option(part, options) for part in _line_and_first(answer))), None
        )
    parts = {*text.splitlines(), *sentences(text)}
    letters = {letter for part in parts if (letter := _option(part, options))}
    return letters.pop() if len(letters) == 1 else None


def _line_and_first(line: str) -> list[str]:
    """Returns a line and its first sentence, if it has one."""
    return [line, *sentences(line)[:1]]


def _option(text: str, options: Mapping[str, str]) -> str | None:
    """Returns the letter that a phrase is or begins with, or whose option's text it repeats."""
    text = _REASON.split(text.strip(_QUOTES))[0].strip()
    match = _LETTER.match(text)
    letter = match["letter"].upper() if match else ""
    if match and letter in options and not match["rest"]:
        return letter
    repeated = [other for other, words in options.items() if is_same(text, words)]
    if len({plain(options[other]) for other in repeated}) == 1:
        return repeated[0]
    if not match or letter not in options:
        return None
    rest = match["rest"].strip(_QUOTES)
    if is_same(rest, options[letter]):
        return letter
    # "E. coli" and "C. difficile" are no letters.
    is_name = match["end"].strip() == "." and rest[:1].islower()
    is_clear = match["end"].strip() and not is_name and not _names_other(rest, letter, options)
    return letter if is_clear else None


def _names_other(rest: str, letter: str, options: Mapping[str, str]) -> bool:
    """Whether what follows a letter contains another letter, or is the text of another option."""
    others = {other: words for other, words in options.items() if other != letter}
    # "A mass" goes on in words; "B and C" and "A. Lung B. Liver" do not.
    form = r"(?<![A-Za-z]){}(?![A-Za-z'’]|\s+[a-z])"
    return any(
        re.search(form.format(other), rest)
        or any(is_same(part, words) for part in _line_and_first(rest))
        for other, words in others.items()
    )
