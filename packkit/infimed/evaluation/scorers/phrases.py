"""Comparing short answers, and finding the one that a reply declares."""

from __future__ import annotations

import re
import unicodedata

_MARKUP = re.compile(r"\*+|__|`+|^[ \t]*(?:#+|[-•]\s)", re.M)
_WRAPPER = re.compile(r"\\(?:text|mathrm|mathbf|textbf)\s*\{([^{}]*)\}")
_TAG = re.compile(r"<answer>(.*?)(?:</answer>|\Z)", re.I | re.S)
_BOX = re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_MARKER = re.compile(
    r"""
    # "Answer: ", "the final answer is ", "the correct option would be ", but not "this answer is".
    (?<!\bthis\ )(?<!\bthat\ )(?<!\byour\ )
    \b(?:answer|(?:correct|right|best)\ (?:option|choice))["']?
    (?:\ (?:to|for)\ [^.:\n]{1,60}?)?
    \s*(?: : | =
         | \b(?:is|was|(?:would|should|must)\ be)\b(?:\ (?:(?:most\ )?likely|probably))?\s*:? )
    | ^[^\w\n]*(?:final\ )?answer[^\w\n]*$
    | (?:答案|正确选项)\s*(?: 应?[是为] | : )\s*:?
    # "Therefore B." and nothing more.
    | \b(?:therefore|thus|hence|so)\b[,:]?\s+
      (?=(?:(?:option|choice)\ )?\(?[a-z]\)?\s*(?:[.!](?:\s|$)|$))
    """,
    re.I | re.M | re.X,
)
# A stop after a lone letter is an abbreviation's, as in "E. coli", or an option's, as in "B. Lung".
_SENTENCE_END = re.compile(r"(?<!\b[A-Za-z])[.!](?=\s|$)|[。\n]")

# Control tokens of chat templates: where a turn ends, and all others.
_TURN_END = re.compile(
    r"<\|(?:im_end|eot_id|end|endoftext|end_of_text)\|>|</s>|<end_of_turn>|<eos>"
)
_CONTROL = re.compile(r"<\|[a-z_]{1,40}\|>|</?s>|<(?:start_of_turn|bos|pad|unk)>", re.I)
_TOKEN_BOX = re.compile(r"<\|begin_of_box\|>(.*?)(?:<\|end_of_box\|>|\Z)", re.S)

_OPENING = ' "“‘(['
_APOSTROPHE = re.compile(r"['’]")
_DASH = re.compile(r"(?<=\d)\s*[-‐‑–—−]\s*(?=\d)")
_UNIT = re.compile(r"(?<=\d)(?=[^\W\d_])")
# A picture of this kind is the kind.
_PICTURE = re.compile(
    r"\b(ct|mri?|pet|x ray|xray|ultrasound|radiograph|spect|mammograph?y)\s+"
    r"(?:scans?|images?|imaging|pictures?)$"
)
# Between two digits a stop, comma or colon is part of a number.
_PUNCTUATION = re.compile(r"(?<!\d)[.,:]|[.,:](?!\d)|[;!?\"“”‘()\[\]{}。、《》「」…$_]")
_HYPHEN = re.compile(r"(?<=\w)(?:(?<!\d)[-‐–]|[-‐–](?!\d))(?=\w)")
_LEAD_IN = re.compile(
    r"(?:its|(?:it|this|that) is|(?:they|these) are"
    r"|(?:the|this) (?:image|picture|scan|figure) (?:is|shows|depicts)):?\s+"
    r"|(?:这是|它是|图中是|(?:图像|图片)显示(?:的?是)?):?\s*"
)
_ARTICLE = re.compile(r"^an?\s+|\bthe\s+")
_SEPARATOR = re.compile(r",(?!\d)|[、;]|\band\b", re.I)
# Endings and what is left of them; those that end so in the singular stay.
_PLURALS = (
    *((f"{stem}es", stem) for stem in ("ss", "x", "ch", "sh")),
    ("ies", "y"),
    *((ending, ending) for ending in ("ss", "us", "is")),
    ("s", ""),
)
_SHORT = 3
_NUMBER = re.compile(r"[-+]?(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)")


def without_reasoning(reply: str) -> str:
    """Returns what follows the last ``</think>``; an empty text where reasoning does not end."""
    said = reply.rpartition("</think>")[2]
    return "" if "<think>" in said else said


def without_control_tokens(reply: str) -> str:
    """Returns a reply without the control tokens that a server let through, up to its turn's end.

    >>> without_control_tokens("B<|im_end|>\\n<|im_start|>user\\nAnd A?")
    'B'
    """
    reply = _TOKEN_BOX.sub(lambda match: f"<answer>{match[1]}</answer>", reply)
    for end in _TURN_END.finditer(reply):
        said = _CONTROL.sub("", reply[: end.start()])
        if said.strip():
            return said
    return _CONTROL.sub("", reply)


def tidied(text: str) -> str:
    r"""Returns a text with full-width signs made plain, without markup such as ``\text{}``."""
    text = _MARKUP.sub("", unicodedata.normalize("NFKC", text))
    return _WRAPPER.sub(r"\1", text).strip()


def declared(text: str) -> str | None:
    """Returns what a tidied reply declares to be its answer, up to the line's end.

    The last declaration counts: a box, a tag, or words such as "the answer is".

    Returns:
        The answer, empty where a declaration breaks off; None where nothing is declared.

    >>> declared("Answer: A. No, the answer is (B) lung.\\nIt is dark.")
    '(B) lung.'
    """
    for wrapped in (_TAG, _BOX):
        text = wrapped.sub(lambda match: f"\nanswer: {' '.join(match[1].split())}\n", text)
    *_, end = (None, *(marker.end() for marker in _MARKER.finditer(text)))
    return None if end is None else text[end:].strip().partition("\n")[0].strip()


def sentences(text: str) -> list[str]:
    """Splits a text at line breaks, stops and exclamation marks; a question stays with its answer.

    >>> sentences("E. coli? No. The liver!")
    ['E. coli? No', 'The liver']
    """
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


def plain(text: str) -> str:
    """Returns a phrase for comparison, without what does not change its meaning.

    What is left out is markup, case, extra white space, punctuation, hyphens, articles, and a
    lead-in such as "it is"; articles and lead-in stay where nothing else is left. Dashes between
    digits are alike, units stand apart from their number, and a CT scan is a CT.

    >>> plain("The image shows an X-ray.")
    'x ray'
    """
    text = _APOSTROPHE.sub("", tidied(text).casefold()).lstrip(_OPENING)
    text = _UNIT.sub(" ", _DASH.sub("-", text))
    lead_in = _LEAD_IN.match(text)
    # Articles go before punctuation does: the A of "A. Lung" is none.
    bare = _ARTICLE.sub("", text[lead_in.end() :] if lead_in else text)
    return _words(bare) or _words(text)


def _words(text: str) -> str:
    words = " ".join(_PUNCTUATION.sub(" ", _HYPHEN.sub(" ", text)).split())
    return _PICTURE.sub(r"\1", words)


def singular(word: str) -> str:
    """Returns an English word without the ending of a plural.

    >>> [singular(word) for word in ("lungs", "masses", "bodies", "pelvis", "mass", "CT")]
    ['lung', 'mass', 'body', 'pelvis', 'mass', 'CT']
    """
    for ending, kept in _PLURALS:
        if len(word) > _SHORT + len(ending) - len(kept) and word.endswith(ending):
            return word[: len(word) - len(ending)] + kept
    return word


def is_same(answer: str, gold: str) -> bool:
    """Whether two phrases are the same number, or name the same things in any order.

    >>> is_same("Heart and lung", "Lung, Heart"), is_same("60", "60.0"), is_same("lungs", "lung")
    (True, True, True)
    """
    values = [_number(text) for text in (answer, gold)]
    if None not in values:
        return values[0] == values[1]
    things = _things(gold)
    return bool(things) and _things(answer) == things


def _number(text: str) -> float | None:
    text = plain(text)
    return float(text.replace(",", "")) if _NUMBER.fullmatch(text) else None


def _things(text: str) -> set[str]:
    parts = (plain(part) for part in _SEPARATOR.split(tidied(text)))
    return {" ".join(map(singular, part.split())) for part in parts} - {""}
