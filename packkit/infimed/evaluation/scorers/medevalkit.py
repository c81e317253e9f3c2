"""MedEvalKit's rules, kept as they are, so that results compare with published ones.

They are lenient and harsh by turns: "Abnormal" answers a question with no, since it contains the
letters of that word, and a reply that names no letter is taken for the option it looks like most.
Faults that are not rules are corrected: an empty reply is wrong and not an error, and replies to
open questions of MMMU are read by MMMU's own rules.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from packkit.infimed.evaluation.questions import Question
from packkit.infimed.evaluation.scorers.base import Reading
from packkit.infimed.evaluation.scorers.mmmu_rules import find_letter, matches_gold

_BOX = r"\boxed{"
_NO_BOX = "None"
_TAG = re.compile(r"<answer>(.*?)</answer>", re.S)
# Applied in this order, each to the text that the previous one left.
_MARKERS = (
    "**answer**:",
    "**answer**",
    "*answer*:",
    "**answer:**",
    "answer is",
    "answer:",
    "答案:",
    "final answer",
    "final answer is",
)


@dataclass(frozen=True, slots=True)
class MedEvalKitScorer:
    """MedEvalKit's rules.

    Attributes:
        seed: Seed of the letters drawn where replies to MMMU name none; a draw depends on the
            benchmark and the key of its question as well, and on nothing else.
    """

    seed: int = 0
    name = "medevalkit"
    version = "1"

    def asks_judge(self, question: Question) -> bool:
        """Whether the question is open and not one of MMMU."""
        return question.is_open and question.benchmark != "mmmu"

    def read(self, question: Question, reply: str) -> Reading:
        """Reads a reply; every reply gets an answer, if only by likeness or chance."""
        if question.benchmark == "mmmu":
            return self._read_mmmu(question, reply)
        if question.kind == "choice":
            return _read_choice(question, reply)
        text, gold = _boxed(reply), question.gold
        if text == _NO_BOX:
            text = _tagged(reply)
        if question.benchmark != "slake":
            text, gold = text.lower().strip(), gold.lower().strip()
        if question.is_open:
            return Reading(text, after_marker(text) == gold.lower())
        # The case matters: SLAKE has "Yes" and "No", which are thus compared as words.
        return _read_yes_no(text, gold) if gold in ("yes", "no") else _read_closed(text, gold)

    def _read_mmmu(self, question: Question, reply: str) -> Reading:
        text = _tagged(reply)
        if (content := _boxed(text)) != _NO_BOX:
            text = content
        if question.is_open:
            return Reading(text, matches_gold(text, question.gold))
        letter = find_letter(text, question.options)
        if letter is not None:
            return Reading(letter, letter == question.gold)
        dice = random.Random(f"{self.seed}:{question.benchmark}:{question.key}")
        letter = dice.choice(list(question.options))
        return Reading(letter, letter == question.gold, is_guess=True)


def after_marker(text: str) -> str:
    """Returns the content of a box or tag, else the text, after its last marker, in lower case.

    MedEvalKit compares this with the gold answer, also where it counts shared words.
    """
    text = text.lower()
    text = _boxed(text) if "boxed" in text else _tagged(text)
    for marker in _MARKERS:
        text = text.split(marker)[-1]
    return text


def _read_choice(question: Question, reply: str) -> Reading:
    """Reads a letter that stands alone, else the option that the reply looks like most."""
    if question.benchmark != "pmc-vqa":
        reply = _tagged(reply)
    letters = [letter.lower() for letter in question.options]
    text = after_marker(_lone_letter(reply.lower(), letters)).strip().lower().replace("\n", "")
    letter = text.split(".")[0].split(":")[-1]
    is_guess = letter not in letters
    if is_guess:
        letter = letters[_most_like(_shown_options(question), text)]
    return Reading(letter.upper(), letter.upper() == question.gold, is_guess)


def _lone_letter(reply: str, letters: Sequence[str]) -> str:
    """Returns the letter that is the first paragraph, or begins the last; else the reply."""
    paragraphs = reply.split("\n\n")
    for part in (paragraphs[0], paragraphs[-1].split(".")[0]):
        if part in letters:
            return part
    return reply


def _shown_options(question: Question) -> list[str]:
    """Returns the options as the prompt shows them; PMC-VQA has its own form."""
    form = " {}:{}" if question.benchmark == "pmc-vqa" else "{}. {}"
    return [form.format(letter, text).lower() for letter, text in question.options.items()]


def _most_like(options: Sequence[str], text: str) -> int:
    """Returns the position of the option most like a text; the first where none is like it."""
    return max(
        range(len(options)), key=lambda place: SequenceMatcher(None, options[place], text).ratio()
    )


def _read_yes_no(text: str, gold: str) -> Reading:
    """Looks for the letters of the two words; a text with both or neither is wrong."""
    text = _without_stops(after_marker(text))
    words = [word for word in ("yes", "no") if word in text]
    answer = words[0] if len(words) == 1 else text
    return Reading(answer, answer == gold)


def _read_closed(text: str, gold: str) -> Reading:
    text = _without_stops(after_marker(text))
    return Reading(text, text == gold.lower())


def _without_stops(text: str) -> str:
    return text.replace("\n", "").replace(".", "")


def _boxed(text: str) -> str:
    r"""Returns what the last ``\boxed{}`` holds, or the text ``None``; an unclosed box is none."""
    _, box, rest = text.rpartition(_BOX)
    depth = 1
    for place, char in enumerate(rest if box else ""):
        depth += (char == "{") - (char == "}")
        if not depth:
            return rest[:place].strip()
    return _NO_BOX


def _tagged(text: str) -> str:
    """Returns the contents of all answer tags, joined; else the text."""
    return " ".join(_TAG.findall(text)).strip() or text
