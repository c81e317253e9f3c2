"""Chat templates: how a sample is written as one row of pieces, before any of it becomes ids.

A document is its parts in reading order and ``<|endoftext|>``. Each turn of a conversation is
``<|im_start|>role``, a newline, its content, ``<|im_end|>``, a newline. The templates differ in how
they write an assistant turn:

* ``chatml`` writes its content as it stands.
* ``qwen3`` writes what the chat template in Qwen3's tokenizer_config.json writes (release of April
  2025): the reasoning before ``</think>`` is left out of turns that a later question follows; after
  the last question the turns that hold reasoning keep it, and the last turn of all gets an empty
  think block where it has none. A user turn wrapped in ``<tool_response>`` is not a question.

Rendering is string work, linear in the text. It gives up tools and ``reasoning_content`` fields:
canonical messages have neither, reasoning stands in the content between think tags.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

from packkit.base.errors import RejectReason, SampleError, invalid_sample
from packkit.samples import Content, Message, Sample

IMAGE = "\ud800"
"""Stands for an image among text: a lone surrogate, which no text that is valid UTF-8 can hold."""

END_OF_TEXT, TURN_END = "<|endoftext|>", "<|im_end|>"
THINK_TAGS = ("<think>", "</think>")

_TURN_START = "<|im_start|>"
_EMPTY_THINKING = "<think>\n\n</think>\n\n"
_SPLIT_AT_THINK_TAGS = re.compile("(</?think>)").split


class Piece(NamedTuple):
    """A stretch of a rendered sample.

    Attributes:
        text: The text, or `IMAGE` for the next image of the sample.
        is_trained: Whether the loss covers it.
        is_control: Whether control tokens in `text` count as such: the template wrote it, or it is
            a think tag of an assistant turn. In any other piece they are text like all the rest.
    """

    text: str
    is_trained: bool
    is_control: bool


_Turn = tuple[str, str]
"""What a template writes for one message, before ``<|im_end|>``: header, then body."""


_IMAGE_PIECE = Piece(IMAGE, False, True)
_TURN_END_PIECE = Piece(TURN_END, True, True)
_DOCUMENT_END_PIECE = Piece(END_OF_TEXT, True, True)


@dataclass(frozen=True, slots=True)
class Template:
    """A way of writing a sample as pieces.

    Attributes:
        name: Name by which users choose it.
        control_tokens: Tokens that the tokenizer must have.
        turns: Function that yields header and body of every message.
    """

    name: str
    control_tokens: tuple[str, ...]
    turns: Callable[[Sequence[Message]], Iterator[_Turn]]

    def render(self, sample: Sample, *, has_think_tags: bool = True) -> list[Piece]:
        """Returns the pieces of a sample in order; neighbouring text parts are one piece.

        Args:
            sample: The sample to render.
            has_think_tags: Whether `THINK_TAGS` are tokens, else they stay text everywhere.

        Raises:
            SampleError: A text is not valid UTF-8, or an image stands in reasoning that the
                template leaves out.

        >>> chat = Sample(messages=(Message("user", ("Hi",)),))
        >>> [piece.text for piece in TEMPLATES["chatml"].render(chat)]
        ['<|im_start|>user\\n', 'Hi', '<|im_end|>\\n']
        """
        if sample.messages is None:
            return [*_text_pieces(_joined(sample.content or ()), True), _DOCUMENT_END_PIECE]
        pieces: list[Piece] = []
        pending = ""
        for message, (header, body) in zip(
            sample.messages, self.turns(sample.messages), strict=True
        ):
            # Control text that is not trained is one piece up to the next body: fewer are faster.
            pieces.append(_control_piece(pending + header))
            may_think = has_think_tags and message.role == "assistant"
            pieces += (_assistant_pieces if may_think else _text_pieces)(body, message.is_trained)
            pending = TURN_END + "\n"
            if message.is_trained:
                pieces.append(_TURN_END_PIECE)
                pending = "\n"
        pieces.append(_control_piece(pending))
        return pieces

    def render_prompt(self, sample: Sample, *, has_think_tags: bool = True) -> list[Piece]:
        """Returns the pieces before what a model is to write: a document's, or an assistant turn's.

        They are the first pieces of the sample that the answer would complete, as it is trained:
        with ``qwen3`` the header of the answer ends with an empty think block.

        Raises:
            SampleError: A text is not valid UTF-8, or an image stands in reasoning that the
                template leaves out.

        >>> chat = Sample(messages=(Message("user", ("Hi",)),))
        >>> [piece.text for piece in TEMPLATES["chatml"].render_prompt(chat)]
        ['<|im_start|>user\\n', 'Hi', '<|im_end|>\\n<|im_start|>assistant\\n']
        """
        if sample.messages is None:
            return self.render(sample, has_think_tags=has_think_tags)[:-1]
        answered = replace(sample, messages=(*sample.messages, Message("assistant", ("",))))
        return self.render(answered, has_think_tags=has_think_tags)[:-2]


@cache
def _control_piece(text: str) -> Piece:
    """Returns a piece that is not trained; templates write a few dozen different ones."""
    return Piece(text, False, True)


def _joined(content: Content) -> str:
    """Returns the parts as one string in which every image is `IMAGE`."""
    for part in content:
        if part is not None and not part.isascii():
            _check_utf8(part)
    return "".join([IMAGE if part is None else part for part in content])


def _check_utf8(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise SampleError(
            RejectReason.INVALID_UTF8,
            f"character {error.start} of a text is the lone surrogate {text[error.start]!a}",
        ) from None


def _text_pieces(body: str, is_trained: bool) -> list[Piece]:
    pieces: list[Piece] = []
    for text in body.split(IMAGE):
        pieces.append(_IMAGE_PIECE)
        if text:
            pieces.append(Piece(text, is_trained, False))
    # Images stand between the texts, not before the first.
    return pieces[1:]


def _assistant_pieces(body: str, is_trained: bool) -> list[Piece]:
    pieces = _text_pieces(body, is_trained)
    if "think>" not in body:
        return pieces
    return [
        Piece(text, is_trained, text in THINK_TAGS) if not piece.is_control else piece
        for piece in pieces
        for text in _SPLIT_AT_THINK_TAGS(piece.text)
        if text
    ]


def _header(role: str) -> str:
    return f"{_TURN_START}{role}\n"


def _chatml_turns(messages: Sequence[Message]) -> Iterator[_Turn]:
    for message in messages:
        yield _header(message.role), _joined(message.content)


def _qwen3_turns(messages: Sequence[Message]) -> Iterator[_Turn]:
    bodies = [_joined(message.content) for message in messages]
    last_question = _last_question(messages, bodies)
    for index, (message, body) in enumerate(zip(messages, bodies, strict=True)):
        if message.role != "assistant":
            yield _header(message.role), body
            continue
        is_last = index == len(messages) - 1
        header, written = _qwen3_assistant_turn(body, index > last_question, is_last)
        if written.count(IMAGE) != body.count(IMAGE):
            raise invalid_sample(
                f"message {index}: an image stands in reasoning that template qwen3 leaves out"
            )
        yield header, written


def _last_question(messages: Sequence[Message], bodies: Sequence[str]) -> int:
    """Returns the index of the last user turn that is no tool response; the last turn if none."""
    for index in range(len(messages) - 1, -1, -1):
        body = bodies[index]
        is_tool_response = body.startswith("<tool_response>") and body.endswith("</tool_response>")
        if messages[index].role == "user" and not is_tool_response:
            return index
    return len(messages) - 1


def _qwen3_assistant_turn(body: str, is_after_question: bool, is_last: bool) -> _Turn:
    header = _header("assistant")
    reasoning, answer = _split_reasoning(body)
    if not is_after_question or not (is_last or reasoning):
        return header, answer
    answer = answer.lstrip("\n")
    if not reasoning:
        # Part of the header, because nobody wrote it: at inference it stands in the prompt.
        return header + _EMPTY_THINKING, answer
    return header, f"<think>\n{reasoning}\n</think>\n\n{answer}"


def _split_reasoning(body: str) -> tuple[str, str]:
    """Returns reasoning and answer as the template takes them apart, whatever else is between.

    >>> _split_reasoning("<think>\\nBright on T2.\\n</think>\\n\\nA cyst.")
    ('Bright on T2.', 'A cyst.')
    """
    if "</think>" not in body:
        return "", body
    before, *_, answer = body.split("</think>")
    return before.split("<think>")[-1].strip("\n"), answer.lstrip("\n")


_TURN_TOKENS = (_TURN_START, TURN_END, END_OF_TEXT)

TEMPLATES = {
    template.name: template
    for template in (
        Template("chatml", _TURN_TOKENS, _chatml_turns),
        Template("qwen3", (*_TURN_TOKENS, *THINK_TAGS), _qwen3_turns),
    )
}
