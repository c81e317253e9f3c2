"""Rendered samples that are too long, told by their bytes before any of them is tokenized.

A tokenizer takes about a hundred bytes of memory for each byte of text. A text of more bytes than
the tokens of a whole sample can stand for is too long for certain. Where the sample is cut, what is
far past the cut need not be tokenized either: tokenizers that split text at the end of every word
make the same tokens of what stands before it, whatever follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self

import orjson
from tokenizers.pre_tokenizers import ByteLevel

from packkit.base.errors import RejectReason, SampleError
from packkit.encoding.templates import Piece

# Normalization form C makes a text shorter by a factor of three at most: U+212A becomes K.
_MOST_SHORTENED = 4

# A letter, and what is never joined to it by normalization or by a pattern for words.
_WORD_END = re.compile(r"[^\W\d_](?=[ \n.,;:!?。,、])")

# So much of a text without any word is tokenized, and no more.
_MOST_BOUNDS = 4


class TextBounds(NamedTuple):
    """What is known of the tokens of a text before it is tokenized.

    Attributes:
        token_bytes: Most bytes of text that one token stands for; None where there is no bound.
        splits_words: Whether text is split at the end of every word first.
    """

    token_bytes: int | None
    splits_words: bool

    @classmethod
    def of_tokenizer(cls, data: bytes) -> Self:
        """Returns the bounds of a tokenizer, of which only byte-level BPE has any.

        Args:
            data: Bytes of tokenizer.json.
        """
        spec = orjson.loads(data)
        model = spec["model"]
        steps = [
            step
            for part in (spec.get("normalizer"), spec.get("pre_tokenizer"))
            for step in _steps(part or {})
        ]
        is_bound = (
            any(step["type"] == "ByteLevel" for step in steps)
            and all(map(_keeps_all, steps))
            and model.get("type", "BPE") == "BPE"
            and set(ByteLevel.alphabet()) <= model["vocab"].keys()
        )
        if not is_bound:
            return cls(None, splits_words=False)
        longest = max(map(len, model["vocab"]))
        return cls(_MOST_SHORTENED * longest, any(map(_splits_words, steps)))

    def check_length(
        self, pieces: Sequence[Piece], image_tokens: Sequence[int], max_len: int
    ) -> None:
        """Checks that a sample can have `max_len` tokens or fewer.

        Args:
            pieces: The rendered sample.
            image_tokens: Tokens of each of its images.
            max_len: Most tokens that the sample may have.

        Raises:
            SampleError: The sample has more tokens for certain.
        """
        if self.token_bytes is None:
            return
        text_bytes = sum(map(_text_bytes, pieces))
        least = sum(image_tokens) + -(-text_bytes // self.token_bytes)
        if least > max_len:
            detail = f"{text_bytes} bytes of text, at least {least} tokens, max_len is {max_len}"
            raise SampleError(RejectReason.OVERLONG, detail)

    def cut(self, pieces: list[Piece], token_limit: int) -> list[Piece]:
        """Returns the first pieces of a sample, with the same first `token_limit` tokens.

        Args:
            pieces: The rendered sample.
            token_limit: Number of tokens at which the sample will be cut.

        Raises:
            SampleError: A text is far too long, and can be cut nowhere.
        """
        if self.token_bytes is None:
            return pieces
        bound = token_limit * self.token_bytes
        for number, piece in enumerate(pieces):
            if _text_bytes(piece) <= bound:
                continue
            # A character is a byte at least, so what stands before has the tokens that are wanted.
            end = _WORD_END.search(piece.text, bound) if self.splits_words else None
            if end is not None:
                return [*pieces[:number], piece._replace(text=piece.text[: end.end()])]
            if len(piece.text) > _MOST_BOUNDS * bound:
                detail = (
                    f"a text of {len(piece.text)} characters cannot be cut at the end of a word"
                )
                raise SampleError(RejectReason.OVERLONG, detail)
        return pieces


def _text_bytes(piece: Piece) -> int:
    if piece.is_control:
        return 0
    return len(piece.text) if piece.text.isascii() else len(piece.text.encode())


def _steps(component: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yields the steps of a normalizer or a pre-tokenizer, in order."""
    if component.get("type") == "Sequence":
        for step in component.get("normalizers") or component.get("pretokenizers") or ():
            yield from _steps(step)
    elif component:
        yield component


def _keeps_all(step: Mapping[str, Any]) -> bool:
    """Whether a step before the model leaves out no byte, but for those that form C joins."""
    is_split = step["type"] == "Split" and step["behavior"] != "Removed"
    return is_split or step["type"] in ("NFC", "ByteLevel", "Digits")


def _splits_words(step: Mapping[str, Any]) -> bool:
    if step["type"] == "ByteLevel":
        return bool(step.get("use_regex", True))
    return step["type"] == "Split" and r"\p{L}" in step["pattern"].get("Regex", "")
